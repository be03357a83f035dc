package store

import (
	"bytes"
	"strconv"
)

// dying says whether a process has been killed and is not wholly gone: it is a
// zombie, or no more to be found. proc_pid_stat(5).
func dying(pid int) bool {
	b, err := readSmall("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	i := bytes.LastIndexByte(b, ')')
	return i < 0 || i+2 >= len(b) || b[i+2] == 'Z' || b[i+2] == 'X'
}
