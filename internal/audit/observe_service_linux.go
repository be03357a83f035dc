package audit

import (
	"path/filepath"
	"strconv"
	"syscall"

	"skep/internal/process"
	"skep/internal/store"
)

// observeServices reads what is judged of the networks and captures that a state names.
func observeServices(st store.State) map[string]*serviceSeen {
	if st.Plan == nil {
		return nil
	}
	all := map[string]*serviceSeen{}
	for _, v := range st.Services {
		b := observeBeside(v.PID)
		if b == nil {
			continue
		}
		dir := filepath.Join(proc, strconv.Itoa(v.PID))
		s := &serviceSeen{besideSeen: *b, Own: map[string]fileID{}, Sockets: readSockets(dir)}
		s.Start, _ = process.StartTime(v.PID)
		if r, ok := st.Plan.Find(v.ID); ok {
			for what, path := range serviceFiles(r.Spec) {
				var f syscall.Stat_t
				if syscall.Stat(path, &f) == nil {
					s.Own[what] = fileID{uint64(f.Dev), f.Ino}
				}
			}
		}
		all[v.ID] = s
	}
	return all
}
