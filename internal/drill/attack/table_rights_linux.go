package attack

import (
	"golang.org/x/sys/unix"
)

// rightsAttempts take back what the start gave up.
var rightsAttempts = []Attempt{
	{ID: "setuid", Tries: "become root",
		By: "user-namespace own-uid seccomp", Want: "EPERM", Do: try(unix.SYS_SETRESUID, 0, 0, 0), Fresh: true},
	{ID: "setgid", Tries: "become root's group",
		By: "user-namespace own-uid seccomp", Want: "EPERM", Do: try(unix.SYS_SETRESGID, 0, 0, 0), Fresh: true},
	{ID: "setgroups", Tries: "join groups of the host",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_SETGROUPS, 1, words32(0)), Fresh: true},
	{ID: "setuid-neighbour", Tries: "become the user of a neighbour cell",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Fresh: true, Needs: needOtherUID,
		Do: try(unix.SYS_SETRESUID, late(neighbourUID), late(neighbourUID), late(neighbourUID))},
	{ID: "capset", Tries: "take capabilities",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_CAPSET, words32(unix.LINUX_CAPABILITY_VERSION_3, 0), words32(1<<unix.CAP_SYS_ADMIN, 1<<unix.CAP_SYS_ADMIN, 0, 0, 0, 0)), Fresh: true},
	{ID: "ambient", Tries: "have capabilities handed on",
		Early: "there is no capability to hand on",
		By:    "two-phases", Want: "EPERM", Single: singlePhase, Do: try(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)},
	{ID: "securebits", Tries: "unlock the bits that make user 0 mean nothing",
		By: "user-namespace own-uid capabilities two-phases", Want: "EPERM", Do: try(unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, 0, 0, 0, 0)},
	{ID: "new-privs", Tries: "allow itself new privileges again",
		By: "", Want: "EPERM | EINVAL", Do: try(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), NoControl: "no kernel takes it back"},
	{ID: "mdwe", Tries: "allow itself writable code again",
		By: "wx-mdwe two-phases", Want: "EPERM", Do: try(unix.SYS_PRCTL, unix.PR_SET_MDWE, 0, 0, 0, 0)},
	{ID: "dumpable", Tries: "let itself be looked into",
		By: "seccomp", Want: "EPERM", Single: singleCall, Do: try(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1, 0, 0, 0)},
	{ID: "raise-files", Tries: "raise its limit of open files to the caller's",
		By: "rlimits seccomp", Want: "EPERM", Do: code(raise(unix.RLIMIT_NOFILE))},
	{ID: "raise-core", Tries: "raise its limit of core files to the caller's, to leave guest memory on the disk",
		By: "no-core seccomp", Want: "EPERM", Needs: needCore, Do: code(raise(unix.RLIMIT_CORE))},
	{ID: "raise-processes", Tries: "raise its limit of processes to the caller's",
		By: "rlimits seccomp", Want: "EPERM", Do: code(raise(unix.RLIMIT_NPROC))},
	{ID: "realtime", Tries: "run before everything else on the host",
		By: "user-namespace own-uid capabilities cgroup-cpu two-phases", Want: "EPERM", Fresh: true, Do: try(unix.SYS_SCHED_SETSCHEDULER, 0, 2, words32(1))},
	{ID: "nice-self", Tries: "run before others",
		By: "user-namespace own-uid capabilities two-phases", Want: "EPERM | EACCES", Fresh: true, Do: try(unix.SYS_SETPRIORITY, 0, 0, -5)},
	{ID: "io-priority", Tries: "have its disk requests served first",
		By: "user-namespace own-uid capabilities two-phases", Want: "EPERM", Fresh: true, Do: try(unix.SYS_IOPRIO_SET, 1, 0, 1<<13|4)},
	{ID: "affinity-self", Tries: "choose its processor, to sit beside a victim",
		By: "seccomp", Want: "EPERM", Single: singleCall, Do: try(unix.SYS_SCHED_SETAFFINITY, 0, 8, words(^uint64(0)))},
	{ID: "oom-score", Tries: "have others killed in its place when memory runs out",
		By: "private-root landlock two-phases", Want: "ENOENT | EPERM", Do: open("/proc/self/oom_score_adj", unix.O_WRONLY)},
}

func neighbourUID(s *Fixture) any { return s.Neighbour.UID }

func needOtherUID(s *Fixture) (string, bool) {
	return "the cells of an ordinary user are all his", s.Neighbour != nil && s.Spec.Identity.UID != s.Neighbour.UID
}

// raise asks for no more than the caller of the launcher has himself.
func raise(resource int) func(*Fixture) Outcome {
	return func(s *Fixture) Outcome {
		var l unix.Rlimit
		if err := unix.Prlimit(0, resource, nil, &l); err != nil {
			return stopped(err.Error())
		}
		return attempt{}.judge(s.call(unix.SYS_PRLIMIT64, 0, resource, words(l.Max, l.Max), 0))
	}
}

func needCore(*Fixture) (string, bool) {
	var l unix.Rlimit
	err := unix.Prlimit(0, unix.RLIMIT_CORE, nil, &l)
	return "the caller may leave no core files either", err == nil && l.Max > 0
}
