package attack

import "golang.org/x/sys/unix"

// nfssvcUnused asks nfssvc(2) for nothing that it knows, sys/nfs/nfssvc.h; with no bit set it would not
// look at rights at all.
const nfssvcUnused = 0x2

// kernelAttempts change the kernel or the host as a whole. Where success would do harm the arguments
// are such that nobody can fulfil them, and what comes from behind the check of rights counts as an
// escape. reboot(2) is not tried: it looks at nothing but the right.
var kernelAttempts = []Attempt{
	{ID: "kldload", Tries: "load a module", By: "jail no-suser securelevel capsicum", Want: "EPERM | ECAPMODE", Start: true,
		Do: try(unix.SYS_KLDLOAD, "/skep-drill-none").pastGate(unix.ENOENT)},
	{ID: "kldunload", Tries: "unload a module", By: "jail no-suser securelevel capsicum", Want: "EPERM | ECAPMODE", Start: true,
		Do: try(unix.SYS_KLDUNLOAD, 1<<20).pastGate(unix.ENOENT)},
	{ID: "kldfind", Tries: "look for a module", By: "capsicum", Want: "ECAPMODE", Single: singleCapsicum, Do: try(unix.SYS_KLDFIND, "kernel")},
	{ID: "kldnext", Tries: "list the modules", By: "capsicum", Want: "ECAPMODE", Single: singleCapsicum, Do: try(unix.SYS_KLDNEXT, 0)},
	{ID: "modfnext", Tries: "list the parts of modules", By: "capsicum", Want: "ECAPMODE", Single: singleCapsicum, Do: try(unix.SYS_MODFNEXT, 1)},
	{ID: "kenv", Tries: "read the boot loader's variables", By: "capsicum", Want: "ECAPMODE", Single: singleCapsicum, Do: try(unix.SYS_KENV, 3, 0, space(4096), 4096)},
	{ID: "kenv-set", Tries: "change the boot loader's variables", By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true,
		Do: try(unix.SYS_KENV, 2, "skep_drill", 0, 0).pastGate(unix.ENOENT)}, // unset a name that is not there
	{ID: "swapon", Tries: "swap to a device of its own", By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true,
		Do: try(unix.SYS_SWAPON, "/skep-drill-none").pastGate(unix.ENOENT)},
	{ID: "swapoff", Tries: "take swap away", By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true,
		Do: try(unix.SYS_SWAPOFF, "/skep-drill-none", 0).pastGate(unix.ENOENT)},
	{ID: "acct", Tries: "write accounts to a file", By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true,
		Do: try(unix.SYS_ACCT, "/skep-drill-none").pastGate(unix.ENOENT)},
	{ID: "settimeofday", Tries: "set the clock", By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true, Do: try(unix.SYS_SETTIMEOFDAY, 0, 0)},
	{ID: "clock-settime", Tries: "set a clock", By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true,
		Do: try(unix.SYS_CLOCK_SETTIME, 99, words(0, 0)).pastGate(unix.EINVAL)},
	{ID: "adjtime", Tries: "have the clock run faster", By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true, Do: try(unix.SYS_ADJTIME, space(16), 0)},
	{ID: "nfssvc", Tries: "serve files by NFS", By: "jail no-suser capsicum", Want: "EPERM | ENOSYS | ECAPMODE", Start: true, Do: try(unix.SYS_NFSSVC, nfssvcUnused, 0).pastGate(unix.EINVAL)},
	{ID: "auditon", Tries: "change what is audited", By: "jail no-suser capsicum", Want: "EPERM | ENOSYS | ECAPMODE", Start: true, Do: try(unix.SYS_AUDITON, 99, 0, 0).pastGate(unix.EINVAL)},
	{ID: "securelevel", Tries: "lower the securelevel", By: "securelevel capsicum", Want: "EPERM", Start: true, Do: setting("kern.securelevel", words32(^uint32(0)))},
	{ID: "corefile", Tries: "choose where the host writes core files", By: "jail no-suser capsicum", Want: "EPERM", Start: true, Do: code(same("kern.corefile"))},
	{ID: "hostname", Tries: "rename its jail's host", By: "jail no-suser capsicum", Want: "EPERM", Start: true, Do: code(same("kern.hostname"))},
	{ID: "see-others", Tries: "have users see each other's processes", By: "jail no-suser capsicum", Want: "EPERM", Start: true, Do: code(same("security.bsd.see_other_uids"))},
	{ID: "jail-sysctl", Tries: "allow jails what they may not", By: "jail no-suser capsicum", Want: "EPERM", Start: true, Do: code(same("security.jail.enforce_statfs"))},
	{ID: "msgbuf", Tries: "read the kernel's messages", By: "jail no-suser capsicum", Want: "EPERM", Start: true, Do: code(func(s *Fixture) Outcome {
		return attempt{past: []unix.Errno{unix.ENOMEM}}.judge(s.call(unix.SYS___SYSCTLBYNAME, "kern.msgbuf", len("kern.msgbuf"), space(4096), words(4096), 0, 0))
	})},
}

// same writes what a setting of the host's is already, so that nothing is to be put back.
func same(name string) func(*Fixture) Outcome {
	return func(s *Fixture) Outcome {
		value, err := unix.SysctlRaw(name)
		if err != nil {
			return stopped(absent)
		}
		return setting(name, value).do(s)
	}
}

// setting writes a sysctl.
func setting(name string, value []byte) attempt {
	return try(unix.SYS___SYSCTLBYNAME, name, len(name), 0, 0, value, len(value))
}
