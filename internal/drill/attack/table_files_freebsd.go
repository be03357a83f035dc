package attack

import (
	"fmt"

	"golang.org/x/sys/unix"

	"skep/internal/provision"
)

// fileAttempts reach for files of the host. Before capability mode it is the rootfs that has none of
// them; afterwards no name is looked up at all.
var fileAttempts = []Attempt{
	{ID: "open-passwd", Tries: "read /etc/passwd",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: open("/etc/passwd", unix.O_RDONLY)},
	{ID: "open-bait", Tries: "read a file of the host that everybody may read",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: open(baitFile, unix.O_RDONLY)},
	{ID: "open-to-write", Tries: "write to a file of the host that everybody may write to",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: open(baitFile, unix.O_WRONLY)},
	{ID: "old-open", Tries: "the same by the old open(2)",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: try(unix.SYS_OPEN, baitFile, unix.O_RDONLY, 0).opening()},
	{ID: "open-secret", Tries: "read a file that only root may read",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: open(late(func(s *Fixture) any { return s.Bait.Secret }), unix.O_RDONLY)},
	{ID: "climb", Tries: "climb out of the root with ..",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: open(late(func(s *Fixture) any { return "/../../../.." + s.Bait.File }), unix.O_RDONLY)},
	{ID: "climb-relative", Tries: "climb out of the working directory with ..",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: open(late(func(s *Fixture) any { return "../../../../../.." + s.Bait.File }), unix.O_RDONLY)},
	{ID: "dev-fd", Tries: "open a descriptor anew through /dev/fd",
		By: "devfs-rules capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: open("/dev/fd/0", unix.O_RDONLY)},
	{ID: "leaked-descriptors", Tries: "use a descriptor that the caller forgot to close",
		By: "closed-fds", Want: absent, Single: singleOpen, Start: true, Do: code(leakedDescriptors)},
	{ID: "leaked-directory", Tries: "open a path below a directory that the caller left open",
		By: "closed-fds", Want: "EBADF", Single: singleOpen, Start: true,
		Do: try(unix.SYS_OPENAT, late(leakedRoot), "etc/passwd", unix.O_RDONLY, 0).opening()},
	{ID: "planned-as-directory", Tries: "open a path below each descriptor that bhyve has",
		By: "", Want: "ENOTDIR | ENOTCAPABLE", NoControl: "none of them is a directory", Do: code(belowPlanned)},
	{ID: "fchdir", Tries: "go through a leaked descriptor to the host's root",
		By: "closed-fds capsicum", Want: "EBADF | ECAPMODE", Start: true, Fresh: true, Do: try(unix.SYS_FCHDIR, late(leakedRoot))},
	{ID: "chdir", Tries: "go to a directory of the host",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Fresh: true, Do: try(unix.SYS_CHDIR, baitPublic)},
	{ID: "chroot", Tries: "change the root, to climb out of it afterwards",
		By: "private-root no-suser capsicum", Want: "ENOENT | ECAPMODE", Start: true, Fresh: true, Do: try(unix.SYS_CHROOT, baitPublic)},
	{ID: "get-handle", Tries: "get a handle of the root (getfh)",
		By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true, Do: try(unix.SYS_GETFH, "/", space(64))},
	{ID: "get-handle-at", Tries: "the same by getfhat(2)",
		By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true, Do: try(unix.SYS_GETFHAT, atCWD, "/", space(64), 0)},
	{ID: "open-by-handle", Tries: "open a file by its handle (fhopen)",
		By: "jail no-suser capsicum", Want: "EPERM | ECAPMODE", Start: true,
		Do: try(unix.SYS_FHOPEN, space(64), unix.O_RDONLY).opening().pastGate(unix.ESTALE)},
	{ID: "stat", Tries: "see whether a file of the host is there",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: try(unix.SYS_FSTATAT, atCWD, baitFile, space(512), 0)},
	{ID: "list-root", Tries: "list the root",
		By: "capsicum", Want: "ECAPMODE", Single: "the root is its own, and empty", Do: open("/", unix.O_RDONLY|unix.O_DIRECTORY)},
	{ID: "create-in-root", Tries: "make a file in the root",
		By: "private-root capsicum", Want: "EROFS | ECAPMODE", Start: true, Do: made(open(madeInRoot, unix.O_WRONLY|unix.O_CREAT), 0)},
	{ID: "mkdir-in-root", Tries: "make a directory in the root",
		By: "private-root capsicum", Want: "EROFS | ECAPMODE", Start: true, Do: made(try(unix.SYS_MKDIRAT, atCWD, madeInRoot, 0o700), removeDir)},
	{ID: "chmod-in-root", Tries: "change the mode of the root",
		By: "private-root capsicum", Want: "EROFS | ECAPMODE", Start: true, Do: try(unix.SYS_FCHMODAT, atCWD, "/", 0o755, 0)},
	{ID: "chflags-in-root", Tries: "change the flags of the root",
		By: "private-root jail capsicum", Want: "EROFS | EPERM | EOPNOTSUPP | ECAPMODE", Start: true, Do: try(unix.SYS_CHFLAGSAT, atCWD, "/", 0, 0)},
	{ID: "create-on-host", Tries: "make a file in a directory of the host's that is everybody's",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: open(baitNew, unix.O_WRONLY|unix.O_CREAT)},
	{ID: "symlink", Tries: "make a symbolic link there",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: try(unix.SYS_SYMLINKAT, "/etc/passwd", atCWD, inPublic("link"))},
	{ID: "hard-link", Tries: "give a file of the host a second name",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: try(unix.SYS_LINKAT, atCWD, baitFile, atCWD, inPublic("hard"), 0)},
	{ID: "rename", Tries: "rename a file of the host",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true,
		Do: try(unix.SYS_RENAMEAT, atCWD, late(func(s *Fixture) any { return s.Bait.Victim("rename") }), atCWD, inPublic("renamed"))},
	{ID: "unlink", Tries: "remove a file of the host",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true,
		Do: try(unix.SYS_UNLINKAT, atCWD, late(func(s *Fixture) any { return s.Bait.Victim("unlink") }), 0)},
	{ID: "truncate", Tries: "truncate a file of the host",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: try(unix.SYS_TRUNCATE, baitFile, 18)},
	{ID: "chmod", Tries: "change the mode of a file of the host",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: try(unix.SYS_FCHMODAT, atCWD, baitFile, 0o666, 0)},
	{ID: "chown", Tries: "take over a file of the host",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true, Do: try(unix.SYS_FCHOWNAT, atCWD, baitFile, none, none, 0)},
	{ID: "extattr", Tries: "give a file of the host an extended attribute",
		By: "private-root capsicum", Want: "ENOENT | ECAPMODE", Start: true,
		Do: try(unix.SYS_EXTATTR_SET_FILE, baitFile, 1, "skep", "drill", 5).pastGate(unix.EOPNOTSUPP)},
}

// madeInRoot is what attempts make in the root, removeDir is AT_REMOVEDIR.
const madeInRoot, removeDir = "/skep-drill", 0x800

// made takes away again what an attempt has made in the root: that is the host's where a layer is
// missing on purpose.
func made(a attempt, flags int) code {
	return func(s *Fixture) Outcome {
		o := a.do(s)
		if !o.Stopped {
			s.call(unix.SYS_UNLINKAT, atCWD, madeInRoot, flags)
		}
		return o
	}
}

func leakedRoot(s *Fixture) any { return s.Bait.Leaks[2] }

// held are the descriptors that the attacker has by right: its three first and what it has opened.
func (s *Fixture) held() map[int]bool {
	m := map[int]bool{0: true, 1: true, 2: true, int(s.own.vmm): true, int(s.own.console): true}
	if s.Keeper != nil {
		for fd := range len(provision.WorkerHandles) + 1 {
			m[keeperFD+fd] = true
		}
	}
	for _, fd := range s.own.disks {
		m[int(fd)] = true
	}
	return m
}

// leakedDescriptors asks for the flags of every number that is not held. One without the right to ask
// (ENOTCAPABLE) is open, too.
func leakedDescriptors(s *Fixture) Outcome {
	held := s.held()
	for fd := range 256 {
		if held[fd] {
			continue
		}
		r := s.call(unix.SYS_FCNTL, fd, unix.F_GETFD)
		if r.gone {
			return stopped(killed)
		}
		if r.errno != unix.EBADF {
			return escaped(fmt.Sprintf("descriptor %d is open", fd))
		}
	}
	return stopped(absent)
}

func belowPlanned(s *Fixture) Outcome {
	last := stopped(absent)
	for fd := range s.held() {
		r := s.call(unix.SYS_OPENAT, fd, "..", unix.O_RDONLY, 0)
		if last = (attempt{}).judge(r); !last.Stopped || r.gone {
			return last
		}
	}
	return last
}
