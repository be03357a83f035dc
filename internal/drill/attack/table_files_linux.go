package attack

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/plan"
)

// fileAttempts reach for files of the host. The first of them are tried in the start as well, where
// the hypervisor still may open files: there it is the rootfs that has none.
var fileAttempts = []Attempt{
	{ID: "open-passwd", Tries: "read /etc/passwd",
		By: "private-root two-phases", Want: "ENOENT | EPERM", Do: open("/etc/passwd", unix.O_RDONLY)},
	{ID: "open-bait", Tries: "read a file of the host that everybody may read",
		By: "private-root two-phases", Want: "ENOENT | EPERM", Do: open(baitFile, unix.O_RDONLY)},
	{ID: "open-to-write", Tries: "write to a file of the host that everybody may write to",
		By: "private-root landlock two-phases", Want: "ENOENT | EPERM", Do: open(baitFile, unix.O_WRONLY)},
	{ID: "open-secret", Tries: "read a file that only its owner may read",
		By: "private-root own-uid two-phases", Want: "ENOENT | EPERM",
		Do: open(late(func(s *Fixture) any { return s.Bait.Secret }), unix.O_RDONLY)},
	{ID: "open-group", Tries: "read a file that is for a group of the caller's",
		By: "user-namespace private-root no-groups capabilities two-phases", Want: "", Needs: needGroup,
		Do: open(late(func(s *Fixture) any { return s.Bait.Own.Group }), unix.O_RDONLY)},
	{ID: "climb", Tries: "climb out of the root with ..",
		By: "private-root two-phases", Want: "ENOENT | EPERM",
		Do: open(late(func(s *Fixture) any { return "/../../../.." + s.Bait.File }), unix.O_RDONLY)},
	{ID: "climb-relative", Tries: "climb out of the working directory with ..",
		By: "private-root two-phases", Want: "ENOENT | EPERM",
		Do: open(late(func(s *Fixture) any { return "../../../../../.." + s.Bait.File }), unix.O_RDONLY)},
	{ID: "openat2", Tries: "the same by openat2(2)",
		By: "private-root two-phases", Want: "EPERM | ENOENT",
		Do: try(unix.SYS_OPENAT2, atCWD, baitFile, words(unix.O_RDONLY, 0, 0), 24).opening()},
	{ID: "old-open", Tries: "the same by the old open(2)",
		By: "private-root two-phases", Want: "EPERM | ENOENT", Do: try(sysOpen, baitFile, unix.O_RDONLY, 0).opening()},
	{ID: "magic-root", Tries: "walk through the root of a process of the host's",
		By: "user-namespace private-root own-uid capabilities landlock two-phases", Want: "ENOENT | EPERM",
		Do: open(late(func(s *Fixture) any { return procFile(s.Bait.PID(), "root") + s.Bait.File }), unix.O_RDONLY)},
	{ID: "magic-cwd", Tries: "walk through /proc/self/cwd",
		By: "private-root landlock two-phases", Want: "ENOENT | EPERM", Do: open("/proc/self/cwd/.", unix.O_RDONLY)},
	{ID: "magic-exe", Tries: "open its own program, to write to it for the next who runs it",
		By: "private-root two-phases", Want: "ENOENT | EPERM", Do: open("/proc/self/exe", unix.O_RDONLY)},
	{ID: "magic-fd", Tries: "open a descriptor anew through /proc/self/fd",
		By: "private-root two-phases", Want: "ENOENT | EPERM", Do: open("/proc/self/fd/0", unix.O_RDONLY)},
	{ID: "dev-fd", Tries: "open a descriptor anew through /dev/fd",
		By: "private-root two-phases", Want: "ENOENT | EPERM", Do: open("/dev/fd/0", unix.O_RDONLY)},
	{ID: "library-unreached", Tries: "have a library of QEMU's that no device of its cell reaches",
		By: "private-root two-phases", Want: "absent | ENOENT | EPERM", Needs: needStub, Do: code(unreachedLibrary)},
	{ID: "leaked-descriptors", Tries: "use a descriptor that the caller forgot to close",
		By: "closed-fds", Want: "absent", Single: singleOpen, Do: code(leakedDescriptors)},
	{ID: "leaked-directory", Tries: "open a path below a directory that the caller left open",
		By: "closed-fds", Want: "EBADF | EPERM", Single: singleOpen,
		Do: try(unix.SYS_OPENAT, late(func(s *Fixture) any { return s.Bait.Leaks[2] }), "etc/passwd", unix.O_RDONLY, 0).opening()},
	{ID: "planned-as-directory", Tries: "open a path below each descriptor that the plan hands in",
		By: "", Want: "ENOTDIR | EPERM", NoControl: "none of them is a directory", Do: code(belowPlanned)},
	{ID: "open-by-handle", Tries: "open a file of the host by its handle",
		By: "user-namespace closed-fds own-uid capabilities", Want: "EPERM", Do: code(openByHandle)},
	{ID: "handle-of-root", Tries: "get a handle of the root",
		By: "seccomp", Want: "EPERM", Single: singleCall,
		Do: try(unix.SYS_NAME_TO_HANDLE_AT, atCWD, "/", append(words32(128, 0), make([]byte, 128)...), space(8), 0).pastGate(unix.EOPNOTSUPP, unix.EOVERFLOW)},
	{ID: "list-root", Tries: "list the root",
		By: "landlock two-phases", Want: "EACCES | EPERM", Do: open("/", unix.O_RDONLY|unix.O_DIRECTORY)},
	{ID: "stat", Tries: "see whether a file of the host is there",
		By: "private-root two-phases", Want: "ENOENT | EPERM", Do: try(unix.SYS_NEWFSTATAT, atCWD, baitFile, space(256), 0)},
	{ID: "statx", Tries: "the same by statx(2)",
		By: "private-root two-phases", Want: "EPERM | ENOENT", Do: try(unix.SYS_STATX, atCWD, baitFile, 0, 0x7ff, space(256))},
	{ID: "readlink", Tries: "see where its own program lies on the host",
		By: "private-root two-phases", Want: "ENOENT | EPERM", Do: try(unix.SYS_READLINKAT, atCWD, "/proc/self/exe", space(256), 256)},
	{ID: "create-in-root", Tries: "make a file in the root",
		By: "private-root own-uid landlock two-phases", Want: "EROFS | EPERM", Do: code(createInRoot)},
	{ID: "create-on-host", Tries: "make a file in a directory of the host's that is everybody's",
		By: "private-root landlock two-phases", Want: "ENOENT | EPERM", Do: open(baitNew, unix.O_WRONLY|unix.O_CREAT)},
	{ID: "tmpfile", Tries: "make a file without a name there",
		By: "private-root landlock two-phases", Want: "ENOENT | EPERM", Do: open(baitPublic, unix.O_WRONLY|unix.O_TMPFILE)},
	{ID: "mkdir", Tries: "make a directory there",
		By: "private-root landlock two-phases", Want: "EPERM | ENOENT", Do: try(unix.SYS_MKDIRAT, atCWD, inPublic("dir"), 0o700)},
	{ID: "symlink", Tries: "make a symbolic link there",
		By: "private-root landlock two-phases", Want: "EPERM | ENOENT", Do: try(unix.SYS_SYMLINKAT, "/etc/passwd", atCWD, inPublic("link"))},
	{ID: "hard-link", Tries: "give a file of the host a second name",
		By: "private-root landlock two-phases", Want: "EPERM | ENOENT", Do: try(unix.SYS_LINKAT, atCWD, baitFile, atCWD, inPublic("hard"), 0)},
	{ID: "rename", Tries: "rename a file of the host",
		By: "private-root landlock two-phases", Want: "EPERM | ENOENT", Do: code(renameBait)},
	{ID: "unlink", Tries: "remove a file of the host",
		By: "private-root landlock two-phases", Want: "EPERM | ENOENT", Do: code(unlinkBait)},
	{ID: "truncate", Tries: "truncate a file of the host",
		By: "private-root landlock two-phases", Want: "EPERM | ENOENT", Do: try(unix.SYS_TRUNCATE, baitFile, 18)},
	{ID: "chmod", Tries: "make a file of the host set-user-ID",
		By: "private-root own-uid two-phases", Want: "EPERM | ENOENT", Do: try(unix.SYS_FCHMODAT, atCWD, baitFile, 0o666)},
	{ID: "chown", Tries: "take over a file of the host",
		By: "private-root two-phases", Want: "EPERM | ENOENT", Do: try(unix.SYS_FCHOWNAT, atCWD, baitFile, none, none, 0)},
	{ID: "utimes", Tries: "forge a file's time stamps",
		By: "private-root two-phases", Want: "EPERM | ENOENT", Do: try(unix.SYS_UTIMENSAT, atCWD, baitFile, 0, 0)},
	{ID: "xattr", Tries: "give a file of the host an extended attribute",
		By: "private-root two-phases", Want: "EPERM | ENOENT",
		Do: try(unix.SYS_SETXATTR, baitFile, "user.skep", "drill", 5, 0).pastGate(unix.EOPNOTSUPP)},
	{ID: "chdir", Tries: "go to a directory of the host",
		By: "private-root two-phases", Want: "EPERM | ENOENT", Do: try(unix.SYS_CHDIR, baitPublic), Fresh: true},
	{ID: "fchdir", Tries: "go through a leaked descriptor to the host's root",
		By: "closed-fds", Single: "the filter refuses it too; without this layer that is not built", Want: "EPERM | EBADF", Do: try(unix.SYS_FCHDIR, late(func(s *Fixture) any { return s.Bait.Leaks[2] })), Fresh: true},
	{ID: "chroot", Tries: "change the root, to climb out of it afterwards",
		By: "user-namespace private-root own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_CHROOT, baitPublic), Fresh: true},
	{ID: "watch", Tries: "watch a directory of the host (inotify)",
		By: "private-root two-phases", Want: "EPERM | ENOENT", Do: code(watch)},
	{ID: "fanotify", Tries: "watch all of a file system (fanotify)",
		By: "user-namespace own-uid capabilities seccomp", Want: "EPERM", Do: try(unix.SYS_FANOTIFY_INIT, 0, 0).opening()},
}

func needGroup(s *Fixture) (string, bool) {
	return "the caller has no supplementary group", s.Bait.Own.Group != ""
}

// leakedDescriptors asks for the mode of every number that is not planned.
func leakedDescriptors(s *Fixture) Outcome {
	planned := s.planned()
	for fd := range 256 {
		if _, ok := planned[fd]; ok {
			continue
		}
		r := s.call(unix.SYS_FCNTL, fd, unix.F_GETFL)
		if r.gone {
			return stopped(killed)
		}
		if r.errno == unix.EBADF {
			continue
		}
		return escaped(fmt.Sprintf("descriptor %d is open", fd))
	}
	return stopped(absent)
}

func belowPlanned(s *Fixture) Outcome {
	last := stopped(absent)
	for fd := range s.planned() {
		r := s.call(unix.SYS_OPENAT, fd, "..", unix.O_RDONLY, 0)
		if last = (attempt{}).judge(r); !last.Stopped || r.gone {
			return last
		}
	}
	return last
}

// openByHandle goes by way of a descriptor that lies on the host's file system: the console's log.
func openByHandle(s *Fixture) Outcome {
	if s.Bait.Own.Handle == nil {
		return stopped("no handles on this file system")
	}
	// The log may lie on another file system than the bait; the leaked descriptor does not.
	last := stopped(absent)
	by := []any{s.Bait.Leaks[0]}
	if _, ok := needHanded("console-log")(s); ok {
		by = append(by, handed("console-log")(s))
	}
	for _, fd := range by {
		r := s.call(unix.SYS_OPEN_BY_HANDLE_AT, fd, s.Bait.Own.Handle, unix.O_RDONLY)
		if r.errno == unix.EBADF || r.errno == unix.ESTALE {
			last = attempt{}.judge(r)
			continue
		}
		return attempt{}.judge(r)
	}
	return last
}

func createInRoot(s *Fixture) Outcome {
	name := fmt.Sprintf("/skep-drill-%d", s.Bait.PID())
	r := s.call(unix.SYS_OPENAT, atCWD, name, unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if r.errno == 0 && !r.gone {
		s.call(unix.SYS_CLOSE, r.value)
		s.call(unix.SYS_UNLINKAT, atCWD, name, 0)
	}
	return attempt{}.judge(r)
}

func renameBait(s *Fixture) Outcome {
	old, new := s.Bait.Victim("rename"), s.Bait.Public+"/renamed"
	return attempt{}.judge(s.call(unix.SYS_RENAMEAT2, atCWD, old, atCWD, new, 0))
}

func unlinkBait(s *Fixture) Outcome {
	return attempt{}.judge(s.call(unix.SYS_UNLINKAT, atCWD, s.Bait.Victim("unlink"), 0))
}

func watch(s *Fixture) Outcome {
	r := s.call(unix.SYS_INOTIFY_INIT1, unix.IN_CLOEXEC)
	if o, failed := r.failed(); failed {
		return o
	}
	defer s.call(unix.SYS_CLOSE, r.value)
	return attempt{}.judge(s.call(unix.SYS_INOTIFY_ADD_WATCH, r.value, s.Bait.Public, unix.IN_CREATE))
}

// le32 reads a number of the kernel's.
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// stub is the place of a library in the rootfs where a stub is, and what the library on the host has of bytes; "" without
// one.
func stub(s *Fixture) (inside string, size int64) {
	for _, r := range plan.Specs[*plan.Rootfs](s.Plan) {
		for _, f := range r.Files {
			info, err := os.Stat(f.Inside)
			if strings.Contains(f.Host, "/stubs/") && err == nil && info.Size() > size {
				inside, size = f.Inside, info.Size()
			}
		}
	}
	return inside, size
}

func needStub(s *Fixture) (string, bool) {
	inside, _ := stub(s)
	return "no library of its QEMU has a stub in its place", inside != ""
}

// unreachedLibrary opens what is in the place of the library: what is smaller than that has nothing of it.
func unreachedLibrary(s *Fixture) Outcome {
	inside, size := stub(s)
	opened := s.call(unix.SYS_OPENAT, atCWD, inside, unix.O_RDONLY, 0)
	if opened.gone || opened.errno != 0 {
		return attempt{}.judge(opened)
	}
	end := s.call(unix.SYS_LSEEK, opened.value, 0, unix.SEEK_END)
	s.call(unix.SYS_CLOSE, opened.value)
	if end.errno == 0 && !end.gone && int64(end.value) < size {
		return stopped(absent)
	}
	return escaped(fmt.Sprintf("%s is the library, of %d bytes", inside, size))
}
