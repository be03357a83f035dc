package cli

import (
	"fmt"
	"time"

	"skep/internal/fault"
	"skep/internal/process"
	"skep/internal/store"
)

// leavingWait bounds the wait for the last processes of a cell, once all that
// it held is released. An exit takes milliseconds; on a host that stops fifty
// cells at once, seconds.
const leavingWait = 30 * time.Second

// leaving are the processes of a cell that is told to end: its keepers and its
// hypervisors, as far as they were seen.
type leaving struct {
	keepers     map[int]bool
	hypervisors map[int]uint64 // pid to its start
}

// look adds the processes that the cell has now.
func (l *leaving) look(st *store.Store, name string) {
	if l.keepers == nil {
		l.keepers, l.hypervisors = map[int]bool{}, map[int]uint64{}
	}
	if pid, held := st.Holder(name); held && pid > 0 {
		l.keepers[pid] = true
	}
	if s, _, err := st.ReadState(name); err == nil && s.PID > 0 {
		l.hypervisors[s.PID] = s.PIDStart
	}
}

// wait waits until none of them is left, within leavingWait.
func (l *leaving) wait(name string, within time.Duration) error {
	for deadline := time.Now().Add(within); ; {
		who := l.left()
		if who == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fault.Cannot(fault.Host, "", "see the end of", name, "%s is still there after %s", who, within)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// left names one that is still there.
func (l *leaving) left() string {
	for pid, start := range l.hypervisors {
		if process.Lives(pid, start) {
			return fmt.Sprintf("its hypervisor (pid %d)", pid)
		}
	}
	for pid := range l.keepers {
		if !process.Gone(pid) {
			return fmt.Sprintf("its keeper (pid %d)", pid)
		}
	}
	return ""
}
