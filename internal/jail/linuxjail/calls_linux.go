package linuxjail

import "golang.org/x/sys/unix"

// The calls that programs make.
var (
	sysCapset         = call{"capset", unix.SYS_CAPSET}
	sysChdir          = call{"chdir", unix.SYS_CHDIR}
	sysChroot         = call{"chroot", unix.SYS_CHROOT}
	sysClose          = call{"close", unix.SYS_CLOSE}
	sysCloseRange     = call{"close_range", unix.SYS_CLOSE_RANGE}
	sysDup3           = call{"dup3", unix.SYS_DUP3}
	sysExecve         = call{"execve", unix.SYS_EXECVE}
	sysFchdir         = call{"fchdir", unix.SYS_FCHDIR}
	sysFsconfig       = call{"fsconfig", unix.SYS_FSCONFIG}
	sysFsmount        = call{"fsmount", unix.SYS_FSMOUNT}
	sysFsopen         = call{"fsopen", unix.SYS_FSOPEN}
	sysKeyctl         = call{"keyctl", unix.SYS_KEYCTL}
	sysLandlockAdd    = call{"landlock_add_rule", unix.SYS_LANDLOCK_ADD_RULE}
	sysLandlockCreate = call{"landlock_create_ruleset", unix.SYS_LANDLOCK_CREATE_RULESET}
	sysLandlockSelf   = call{"landlock_restrict_self", unix.SYS_LANDLOCK_RESTRICT_SELF}
	sysMkdirat        = call{"mkdirat", unix.SYS_MKDIRAT}
	sysMknodat        = call{"mknodat", unix.SYS_MKNODAT}
	sysMmap           = call{"mmap", unix.SYS_MMAP}
	sysMount          = call{"mount", unix.SYS_MOUNT}
	sysMountSetattr   = call{"mount_setattr", unix.SYS_MOUNT_SETATTR}
	sysMoveMount      = call{"move_mount", unix.SYS_MOVE_MOUNT}
	sysOpenTree       = call{"open_tree", unix.SYS_OPEN_TREE}
	sysOpenat         = call{"openat", unix.SYS_OPENAT}
	sysPersonality    = call{"personality", unix.SYS_PERSONALITY}
	sysPivotRoot      = call{"pivot_root", unix.SYS_PIVOT_ROOT}
	sysPrctl          = call{"prctl", unix.SYS_PRCTL}
	sysPrlimit        = call{"prlimit64", unix.SYS_PRLIMIT64}
	sysRead           = call{"read", unix.SYS_READ}
	sysSeccomp        = call{"seccomp", unix.SYS_SECCOMP}
	sysSendfile       = call{"sendfile", unix.SYS_SENDFILE}
	sysSendmsg        = call{"sendmsg", unix.SYS_SENDMSG}
	sysSetgroups      = call{"setgroups", unix.SYS_SETGROUPS}
	sysSethostname    = call{"sethostname", unix.SYS_SETHOSTNAME}
	sysSetns          = call{"setns", unix.SYS_SETNS}
	sysSetresgid      = call{"setresgid", unix.SYS_SETRESGID}
	sysSetresuid      = call{"setresuid", unix.SYS_SETRESUID}
	sysSetsid         = call{"setsid", unix.SYS_SETSID}
	sysSigaction      = call{"rt_sigaction", unix.SYS_RT_SIGACTION}
	sysSigprocmask    = call{"rt_sigprocmask", unix.SYS_RT_SIGPROCMASK}
	sysUmask          = call{"umask", unix.SYS_UMASK}
	sysUmount         = call{"umount2", unix.SYS_UMOUNT2}
	sysUnshare        = call{"unshare", unix.SYS_UNSHARE}
)

// Constants that many rows share.
var (
	cwd        = named("AT_FDCWD", ^uintptr(99)) // -100
	emptyPath  = str("")
	rdonly     = bit{"RDONLY", unix.MOUNT_ATTR_RDONLY}
	nodev      = bit{"NODEV", unix.MOUNT_ATTR_NODEV}
	nosuid     = bit{"NOSUID", unix.MOUNT_ATTR_NOSUID}
	noexec     = bit{"NOEXEC", unix.MOUNT_ATTR_NOEXEC}
	moveFlags  = flags(bit{"MOVE_MOUNT_F_EMPTY_PATH", unix.MOVE_MOUNT_F_EMPTY_PATH})
	takeFlags  = flags(bit{"OPEN_TREE_CLONE", unix.OPEN_TREE_CLONE}, bit{"OPEN_TREE_CLOEXEC", unix.OPEN_TREE_CLOEXEC})
	mountClose = bit{"CLOEXEC", unix.FSMOUNT_CLOEXEC}
)

// setattr is the attribute argument of mount_setattr(2) and its size. Every mount is made private
// with the same call: a mount made on the host must not show up below a file of the rootfs.
func setattr(set ...bit) []Arg {
	f := flags(set...)
	attr := &unix.MountAttr{Attr_set: uint64(f.value), Propagation: unix.MS_PRIVATE}
	return []Arg{mem("{attr_set="+f.text+", propagation=PRIVATE}", attr), number(unix.MOUNT_ATTR_SIZE_VER0)}
}
