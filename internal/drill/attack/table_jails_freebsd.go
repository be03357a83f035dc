package attack

import "golang.org/x/sys/unix"

// Flags of jail_set(2), sys/sys/jail.h.
const jailCreate, jailUpdate = 1, 2

// jailAttempts go to other jails, make new ones and change their own.
var jailAttempts = []Attempt{
	{ID: "jail-attach", Tries: "enter another jail",
		By: "jail no-suser capsicum", Want: "EINVAL | EPERM | ECAPMODE", Start: true, Fresh: true, Do: try(unix.SYS_JAIL_ATTACH, late(baitPrison))},
	{ID: "jail-get", Tries: "see another jail",
		By: "jail capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: code(func(s *Fixture) Outcome {
			v, n := s.vector("jid", words32(uint32(s.Bait.Own.Prison)))
			return attempt{}.judge(s.call(unix.SYS_JAIL_GET, v, n, 0))
		})},
	{ID: "jail-child", Tries: "make a jail in its jail, with other parameters",
		By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true, Do: code(func(s *Fixture) Outcome {
			v, n := s.vector("name", "skep-drill-child", "path", "/", "persist", nil)
			r := s.call(unix.SYS_JAIL_SET, v, n, jailCreate)
			if r.errno == 0 && !r.gone {
				s.call(unix.SYS_JAIL_REMOVE, r.value)
			}
			return attempt{}.judge(r)
		})},
	{ID: "jail-change", Tries: "change its own jail: allow mounts",
		By: "jail no-suser capsicum", Want: "ENOENT | EPERM | ECAPMODE", Start: true, Do: code(func(s *Fixture) Outcome {
			v, n := s.vector("jid", words32(uint32(s.JID)), "allow.mount", nil)
			return attempt{}.judge(s.call(unix.SYS_JAIL_SET, v, n, jailUpdate))
		})},
	{ID: "jail-change-other", Tries: "change another jail",
		By: "jail no-suser capsicum", Want: "ENOENT | EPERM | ECAPMODE", Start: true, Do: code(func(s *Fixture) Outcome {
			v, n := s.vector("jid", words32(uint32(s.Bait.Own.Prison)), "allow.mount", nil)
			return attempt{}.judge(s.call(unix.SYS_JAIL_SET, v, n, jailUpdate))
		})},
	{ID: "jail-remove", Tries: "remove another jail",
		By: "jail no-suser capsicum", Want: "EINVAL | EPERM | ECAPMODE", Start: true, Do: try(unix.SYS_JAIL_REMOVE, late(baitPrison))},
}

func baitPrison(s *Fixture) any { return s.Bait.Own.Prison }
