package probe

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"skep/internal/host"

	"golang.org/x/sys/unix"
)

// lookAround finds out what this process was started in. It reads the mount
// table, which is long on some hosts: callers remember what it says.
func lookAround() host.Around {
	var a host.Around
	a.NoProc, a.NoNull = noProc(), noNull()
	if a.NoProc == "" {
		a.Filters = filtersOf(text("/proc/self/status"))
		found, initial := rootMount(parseMountinfo(text("/proc/self/mountinfo")))
		a.InitialRoot = initial
		a.Chroot = !found || otherRoot()
	}
	return a
}

// noProc says why /proc is of no use to this process, or "".
func noProc() string {
	var st unix.Statfs_t
	if err := unix.Statfs("/proc", &st); err != nil || st.Type != unix.PROC_SUPER_MAGIC {
		return "no /proc is mounted"
	}
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return "/proc is that of another process namespace: this process is not in it as itself"
	}
	return ""
}

// noNull says why /dev/null is of no use, or "". A root that nobody has mounted anything into has none.
func noNull() string {
	f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err.Error()
	}
	f.Close()
	return ""
}

// otherRoot says whether the root is another one than that of the mount
// namespace. Only root can ask: setns(2) into the namespace that a thread is in
// already puts it on that root.
func otherRoot() bool {
	other := make(chan bool, 1)
	go func() {
		// Never unlocked: the thread ends with its odd root.
		runtime.LockOSThread()
		other <- func() bool {
			ns, err := unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil || unix.Unshare(unix.CLONE_FS) != nil {
				return false
			}
			defer unix.Close(ns)
			before, err := mountOf("/")
			if err != nil || unix.Setns(ns, unix.CLONE_NEWNS) != nil {
				return false
			}
			after, err := mountOf("/")
			return err == nil && before != after
		}()
	}()
	return <-other
}

// mountOf tells a directory's mount, and the directory on it.
func mountOf(path string) ([2]uint64, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO|unix.STATX_MNT_ID, &st)
	return [2]uint64{st.Mnt_id, st.Ino}, err
}

// filtersOf reads proc_pid_status(5).
func filtersOf(status string) int {
	n := 0
	for line := range strings.Lines(status) {
		k, v, _ := strings.Cut(line, ":")
		v = strings.TrimSpace(v)
		switch {
		case k == "Seccomp" && v == "2":
			n = max(n, 1)
		case k == "Seccomp_filters":
			if filters, err := strconv.Atoi(v); err == nil {
				n = max(n, filters)
			}
		}
	}
	return n
}

// hardLimits are this process's hard limits, without those that are unlimited.
func hardLimits() map[string]uint64 {
	out := map[string]uint64{}
	for name, resource := range map[string]int{
		"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "fsize": unix.RLIMIT_FSIZE, "as": unix.RLIMIT_AS,
	} {
		var r unix.Rlimit
		if unix.Getrlimit(resource, &r) == nil && r.Max != unix.RLIM_INFINITY {
			out[name] = r.Max
		}
	}
	return out
}
