package drill

import (
	"golang.org/x/sys/unix"
)

// rightsAttempts take back what the start gave up.
var rightsAttempts = []Attempt{
	{ID: "setuid", Tries: "become root", Do: try(unix.SYS_SETRESUID, 0, 0, 0), Fresh: true},
	{ID: "setgid", Tries: "become root's group", Do: try(unix.SYS_SETRESGID, 0, 0, 0), Fresh: true},
	{ID: "setgroups", Tries: "join groups of the host", Do: try(unix.SYS_SETGROUPS, 1, words32(0)), Fresh: true},
	{ID: "setuid-neighbour", Tries: "become the user of a neighbour cell", Fresh: true, Needs: needOtherUID,
		Do: try(unix.SYS_SETRESUID, late(neighbourUID), late(neighbourUID), late(neighbourUID))},
	{ID: "capset", Tries: "take capabilities", Do: try(unix.SYS_CAPSET, words32(unix.LINUX_CAPABILITY_VERSION_3, 0), words32(1<<unix.CAP_SYS_ADMIN, 1<<unix.CAP_SYS_ADMIN, 0, 0, 0, 0)), Fresh: true},
	{ID: "ambient", Tries: "have capabilities handed on", Do: try(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)},
	{ID: "securebits", Tries: "unlock the bits that make user 0 mean nothing", Do: try(unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, 0, 0, 0, 0)},
	{ID: "new-privs", Tries: "allow itself new privileges again", Do: try(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), NoControl: "no kernel takes it back"},
	{ID: "mdwe", Tries: "allow itself writable code again", Do: try(unix.SYS_PRCTL, unix.PR_SET_MDWE, 0, 0, 0, 0)},
	{ID: "dumpable", Tries: "let itself be looked into", Do: try(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1, 0, 0, 0)},
	{ID: "raise-files", Tries: "raise its limit of open files to the caller's", Do: code(raise(unix.RLIMIT_NOFILE))},
	{ID: "raise-core", Tries: "raise its limit of core files to the caller's, to leave guest memory on the disk", Needs: needCore, Do: code(raise(unix.RLIMIT_CORE))},
	{ID: "raise-processes", Tries: "raise its limit of processes to the caller's", Do: code(raise(unix.RLIMIT_NPROC))},
	{ID: "realtime", Tries: "run before everything else on the host", Fresh: true, Do: try(unix.SYS_SCHED_SETSCHEDULER, 0, 2, words32(1))},
	{ID: "nice-self", Tries: "run before others", Fresh: true, Do: try(unix.SYS_SETPRIORITY, 0, 0, -5)},
	{ID: "io-priority", Tries: "have its disk requests served first", Fresh: true, Do: try(unix.SYS_IOPRIO_SET, 1, 0, 1<<13|4)},
	{ID: "affinity-self", Tries: "choose its processor, to sit beside a victim", Do: try(unix.SYS_SCHED_SETAFFINITY, 0, 8, words(^uint64(0)))},
	{ID: "session", Tries: "become the leader of a session", Fresh: true, Do: code(newSession)},
	{ID: "oom-score", Tries: "have others killed in its place when memory runs out", Do: open("/proc/self/oom_score_adj", unix.O_WRONLY)},
}

func neighbourUID(s *Scene) any { return s.Neighbour.state().UID }

func needOtherUID(s *Scene) (string, bool) {
	return "the cells of an ordinary user are all his", s.Neighbour != nil && s.Spec.Identity.UID != s.Neighbour.state().UID
}

// raise asks for no more than the caller of the launcher has himself.
func raise(resource int) func(*Scene) Outcome {
	return func(s *Scene) Outcome {
		var l unix.Rlimit
		if err := unix.Prlimit(0, resource, nil, &l); err != nil {
			return stopped(err.Error())
		}
		return attempt{}.judge(s.call(unix.SYS_PRLIMIT64, 0, resource, words(l.Max, l.Max), 0))
	}
}

func needCore(*Scene) (string, bool) {
	var l unix.Rlimit
	err := unix.Prlimit(0, unix.RLIMIT_CORE, nil, &l)
	return "the caller may leave no core files either", err == nil && l.Max > 0
}

// newSession asks which session it is in; setsid(2) itself fails for whoever leads one.
func newSession(s *Scene) Outcome {
	r := s.call(unix.SYS_SETSID)
	return attempt{past: []unix.Errno{}}.judge(r)
}
