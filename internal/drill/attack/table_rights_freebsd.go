package attack

import "golang.org/x/sys/unix"

// rightsAttempts take back what the start gave up. bhyve is user 0 where vmm(4) asks for it, so that
// becoming another user is no gain; that it cannot is tried once the guest runs.
var rightsAttempts = []Attempt{
	{ID: "setgroups", Tries: "join groups of the host", By: "no-suser capsicum", Want: "EPERM | ECAPMODE", Fresh: true, Do: try(unix.SYS_SETGROUPS, 1, words32(0))},
	{ID: "setlogin", Tries: "give itself another name", By: "no-suser capsicum", Want: "EPERM | ECAPMODE", Do: try(unix.SYS_SETLOGIN, "drill")},
	{ID: "setloginclass", Tries: "move to another class of limits", By: "no-suser capsicum", Want: "EPERM | ECAPMODE", Do: try(unix.SYS_SETLOGINCLASS, "drill")},
	{ID: "setaudit", Tries: "be audited as somebody else", By: "jail no-suser", Want: "EPERM | ENOSYS | EINVAL", Single: singleJail, Start: true, Do: try(unix.SYS_SETAUID, words32(0))},
	{ID: "new-privs", Tries: "allow itself new privileges again", By: "", Want: "EINVAL | ECAPMODE | EPERM", NoControl: "no kernel takes it back", Start: true, Do: control(19, 2)},
	{ID: "aslr", Tries: "have its addresses not be random", By: "capsicum", Want: "ECAPMODE", Single: "a process may ask that of itself; it is for the next exec, and there is none", Do: control(13, 2)},
	{ID: "wx-allow", Tries: "allow itself writable code again", By: "capsicum", Want: "ECAPMODE", Single: "a process may ask that of itself; it is for the next exec, and there is none", Do: control(21, 1)},
	{ID: "trace-allow", Tries: "let itself be looked into", By: "capsicum", Want: "ECAPMODE", Single: "a process may ask that of itself", Do: control(7, 1)},
	{ID: "reaper", Tries: "become the parent of orphans", By: "capsicum", Want: "ECAPMODE", Single: singleCapsicum, Do: try(unix.SYS_PROCCTL, 0, late(ownPID), 2, 0)},
	{ID: "protect", Tries: "have others killed in its place when memory runs out", By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true, Do: control(1, 1)},
	{ID: "realtime", Tries: "run before everything else on the host", By: "jail no-suser", Want: "EPERM | ECAPMODE", Single: singleJail, Start: true, Fresh: true, Do: try(unix.SYS_RTPRIO, 1, 0, []byte{2, 0, 0, 0})},
	{ID: "nice-self", Tries: "run before others", By: "jail no-suser", Want: "EACCES", Single: singleJail, Start: true, Fresh: true, Do: try(unix.SYS_SETPRIORITY, 0, 0, -5)},
	{ID: "cpuset", Tries: "make a set of processors of its own", By: "capsicum", Want: "ECAPMODE", Single: singleCapsicum, Do: try(unix.SYS_CPUSET, space(8)), Fresh: true},
	{ID: "raise-core", Tries: "raise its limit of core files, to leave guest memory on the disk", By: "no-suser rlimits", Want: "EPERM", Single: singleLimit, Do: raise(4)},
	{ID: "raise-files", Tries: "raise its limit of open files", By: "no-suser rlimits", Want: "EPERM", Single: singleLimit, Do: raise(8)},
	{ID: "raise-memory", Tries: "raise its limit of address space", By: "no-suser rlimits", Want: "EPERM", Single: singleLimit, Do: raise(10)},
	{ID: "rctl-add", Tries: "add a rule of limits", By: "jail no-suser capsicum", Want: "EPERM | ENOSYS | ECAPMODE", Start: true, Do: try(unix.SYS_RCTL_ADD_RULE, "bad", 4, 0, 0).pastGate(unix.EINVAL)},
	{ID: "rctl-remove", Tries: "remove rules of limits", By: "jail no-suser capsicum", Want: "EPERM | ENOSYS | ECAPMODE", Start: true, Do: try(unix.SYS_RCTL_REMOVE_RULE, "bad", 4, 0, 0).pastGate(unix.EINVAL)},
}

func ownPID(s *Fixture) any { return s.pid() }

// control asks procctl(2) for something that concerns itself.
func control(command int, value uint32) attempt {
	return try(unix.SYS_PROCCTL, 0, late(ownPID), command, words32(value))
}

// raise asks for no limit at all.
func raise(resource int) attempt {
	const infinity = 1<<63 - 1
	return try(unix.SYS_SETRLIMIT, resource, words(infinity, infinity))
}
