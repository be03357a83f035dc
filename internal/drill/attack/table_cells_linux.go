package attack

import (
	"fmt"

	"golang.org/x/sys/unix"

	"skep/internal/drill/bait"
	"skep/internal/plan"
)

// cellAttempts reach for a neighbour: another cell of the same host, which runs an honest guest
// while this goes on. A socket that has enough of clients (EAGAIN) was reached too.
var cellAttempts = []Attempt{
	{ID: "cell-console", Tries: "connect to a neighbour's console",
		By: "private-root own-uid seccomp", Want: "EPERM", Needs: needNeighbour, Do: connecting(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, socketOf("console"), unix.EAGAIN)},
	{ID: "cell-monitor", Tries: "connect to a neighbour's monitor",
		By: "private-root own-uid seccomp", Want: "EPERM", Needs: needNeighbour, Do: connecting(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, socketOf("qmp"), unix.EAGAIN)},
	{ID: "cell-control", Tries: "give commands to a neighbour's keeper",
		By: "private-root own-uid seccomp", Want: "EPERM", Needs: needNeighbour, Do: connecting(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, socketOf("control"), unix.EAGAIN)},
	{ID: "cell-log", Tries: "read what a neighbour's guest said",
		By: "private-root own-uid two-phases", Want: "ENOENT | EPERM", Needs: needNeighbour, Do: open(late(logOf), unix.O_RDONLY)},
	{ID: "cell-state", Tries: "read a neighbour's state",
		By: "private-root own-uid two-phases", Want: "ENOENT | EPERM", Needs: needNeighbour, Do: open(late(func(s *Fixture) any { return s.Neighbour.Store.RunDir(s.Neighbour.Name) + "/state.json" }), unix.O_RDONLY)},
	{ID: "cell-signal", Tries: "signal a neighbour's hypervisor",
		By: "user-namespace pid-namespace own-uid landlock two-phases", Want: "EPERM | ESRCH", Needs: needNeighbour, Do: try(unix.SYS_KILL, late(neighbourPID), 0)},
	{ID: "cell-wake", Tries: "signal one of its threads",
		By: "user-namespace pid-namespace own-uid landlock", Want: "ESRCH | EPERM", Needs: needNeighbour, Do: try(unix.SYS_TGKILL, late(neighbourPID), late(neighbourPID), 0)},
	{ID: "cell-memory", Tries: "read a neighbour's memory",
		By: "user-namespace private-root own-uid capabilities landlock two-phases", Want: "ENOENT | EPERM", Needs: needNeighbour, Do: open(late(func(s *Fixture) any { return procFile(neighbourPID(s).(int), "mem") }), unix.O_RDONLY)},
	{ID: "cell-room", Tries: "walk into a neighbour's rootfs",
		By: "user-namespace private-root own-uid landlock two-phases", Want: "ENOENT | EPERM", Needs: needNeighbour, Do: open(late(func(s *Fixture) any { return procFile(neighbourPID(s).(int), "root/.") }), unix.O_RDONLY)},
	{ID: "cell-group", Tries: "move itself into a neighbour's control group",
		By: "private-root own-uid landlock two-phases", Want: "ENOENT | EPERM", Needs: needNeighbourGroup, Do: open(late(groupOf), unix.O_WRONLY)},
	{ID: "shared-memory", Tries: "attach shared memory of the host",
		By: "ipc-namespace two-phases", Want: "EPERM | EINVAL", Needs: needShared, Do: code(attachShared)},
}

func needNeighbour(s *Fixture) (string, bool) {
	return "there is no neighbour", s.Neighbour != nil
}

func neighbourPID(s *Fixture) any { return s.Neighbour.PID }

func neighbourPlan[T plan.Spec](s *Fixture) []T {
	return plan.Specs[T](&plan.Plan{Resources: s.Neighbour.Plan})
}

func socketOf(name string) func(*Fixture) []byte {
	return func(s *Fixture) []byte {
		for _, sock := range neighbourPlan[*plan.Socket](s) {
			if sock.Name == name {
				return local(sock.Path)
			}
		}
		return local("/none")
	}
}

func logOf(s *Fixture) any {
	for _, l := range neighbourPlan[*plan.Log](s) {
		if l.Name == "console-log" {
			return l.Path
		}
	}
	return "/none"
}

func needNeighbourGroup(s *Fixture) (string, bool) {
	return "the neighbour has no control group", s.Neighbour != nil && len(neighbourPlan[*plan.Cgroup](s)) > 0
}

func groupOf(s *Fixture) any { return neighbourPlan[*plan.Cgroup](s)[0].Path + "/cgroup.procs" }

func needShared(s *Fixture) (string, bool) {
	return "this kernel has no System V shared memory", s.Bait.Own.Shm >= 0
}

func attachShared(s *Fixture) Outcome {
	const readOnly = 0o10000
	r := s.call(unix.SYS_SHMAT, s.Bait.Own.Shm, 0, readOnly)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_SHMDT, r.value)
	if string(s.get(r.value, len(bait.Text))) != bait.Text {
		return stopped(absent) // another one of that number
	}
	return escaped("it reads " + bait.Text)
}

func procFile(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }
