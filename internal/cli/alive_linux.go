package cli

import "skep/internal/jail"

// alive says whether the process still is the one that started then.
func alive(pid int, start uint64) bool {
	p, err := jail.Adopt(pid, start, jail.Record{})
	if err != nil {
		return false
	}
	_ = p.Release()
	return true
}
