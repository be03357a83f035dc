package attack

import "golang.org/x/sys/unix"

// mountAttempts change what is mounted. What is mounted where it succeeds is taken off again.
var mountAttempts = []Attempt{
	mounting("tmpfs"), mounting("devfs"), mounting("fdescfs"), mounting("procfs"),
	{ID: "mount-nullfs", Tries: "mount a directory of the host over the root (nullfs)",
		By: "private-root jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true,
		Do: code(func(s *Fixture) Outcome {
			return mount(s, "fstype", "nullfs", "fspath", "/dev", "target", s.Bait.Public)
		})},
	{ID: "unmount", Tries: "unmount something",
		By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true, Do: try(unix.SYS_UNMOUNT, "/skep-drill-none", 0).pastGate(unix.ENOENT, unix.EINVAL)},
	{ID: "remount", Tries: "make the root writable",
		By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true, Fresh: true,
		Do: code(func(s *Fixture) Outcome { return mountFlags(s, 0x10000, "fstype", "tmpfs", "fspath", "/") })},
	{ID: "quota", Tries: "change quotas",
		By: "capsicum jail", Want: "EPERM | ECAPMODE", Do: try(unix.SYS_QUOTACTL, "/", 0x80000700, 0, space(64)).pastGate(unix.EOPNOTSUPP)},
}

func mounting(kind string) Attempt {
	return Attempt{ID: "mount-" + kind, Tries: "mount a " + kind + " of its own",
		By: "jail no-suser capsicum", Want: "EPERM | ENODEV | ECAPMODE", Start: true,
		Do: code(func(s *Fixture) Outcome { return mount(s, "fstype", kind, "fspath", "/dev") })}
}

func mount(s *Fixture, options ...string) Outcome {
	o := mountFlags(s, 0, options...)
	if !o.Stopped {
		s.call(unix.SYS_UNMOUNT, options[3], 0)
	}
	return o
}

func mountFlags(s *Fixture, flags int, options ...string) Outcome {
	var values []any
	for _, o := range options {
		values = append(values, o)
	}
	v, n := s.vector(values...)
	return attempt{}.judge(s.call(unix.SYS_NMOUNT, v, n, flags))
}

// vector is a struct iovec for each value: nmount(2) and jail_set(2) take names and values so.
func (s *Fixture) vector(values ...any) (address uint64, n int) {
	var v []uint64
	for _, value := range values {
		switch x := value.(type) {
		case string:
			v = append(v, s.put(append([]byte(x), 0)), uint64(len(x)+1))
		case []byte:
			v = append(v, s.put(x), uint64(len(x)))
		case nil:
			v = append(v, 0, 0)
		}
	}
	return s.put(words(v...)), len(values)
}
