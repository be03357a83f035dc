package jail

import (
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// forkWithin forks from a thread that has put itself into the v1 groups, so that the child is born
// in them. To move a process from outside, the kernel waits for a grace period of its own each
// time, some milliseconds; a thread that moves itself waits for nothing (kernel/cgroup/cgroup.c,
// cgroup_procs_write_start). The thread ends here and takes its membership with it. Where it
// cannot join, joined is false and the child is moved as usual.
func (p *loaded) forkWithin(args *cloneArgs, procs []string) (pid int, joined bool, err error) {
	if len(procs) == 0 {
		pid, err = p.fork(args)
		return pid, false, err
	}
	done := make(chan struct{})
	var thread func()
	thread = func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			// The main thread does not end before its process: any other will do.
			defer runtime.UnlockOSThread()
			thread2 := make(chan struct{})
			go func() { defer close(thread2); thread() }()
			<-thread2
			return
		}
		// Never unlocked: the thread ends with this goroutine.
		joined = true
		for _, f := range procs {
			if os.WriteFile(filepath.Join(filepath.Dir(f), "tasks"), []byte("0"), 0) != nil {
				joined = false
				break
			}
		}
		pid, err = p.fork(args)
	}
	go func() { defer close(done); thread() }()
	<-done
	return pid, joined, err
}
