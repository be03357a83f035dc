package probe

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"skep/internal/host"

	"golang.org/x/sys/unix"
)

// probe fills in the facts of a Linux host. It is on the way of every command,
// so whatever takes longer than some system calls is remembered (cache).
func probe(ctx context.Context, o Options, f *host.Facts) error {
	f.OS = "linux"
	f.Kernel = release()
	f.Dirs, _, _ = o.settle(systemDirs, f.EUID)
	f.Identity = host.IdentityOf(text("/etc/machine-id"))
	f.Distro = distroOf(text("/etc/os-release"))
	f.Memory = memTotal(text("/proc/meminfo"))
	f.Bridges = bridges("/sys/class/net")
	l := &host.Linux{KVM: lookAtKVM(), Landlock: landlockABI(), TunTap: opens("/dev/net/tun")}
	f.Linux = l
	c := o.cache(f.Dirs)
	l.Cgroup = findCgroups(c, f.EUID, o.CgroupParent)
	probeCaller(f)
	probeLayers(c, f)

	if err := findQEMU(ctx, o, c, l); err != nil {
		return err
	}
	judgeKVM(ctx, o, c, f)
	judgeTCG(ctx, o, f)
	return nil
}

// probeTools fills in what the jail of a tool needs.
func probeTools(o Options, f *host.Facts) {
	f.OS = "linux"
	f.Kernel = release()
	f.Dirs, _, _ = o.settle(systemDirs, f.EUID)
	f.Linux = &host.Linux{Landlock: landlockABI()}
	probeCaller(f)
	probeLayers(o.cache(f.Dirs), f)
}

// probeCaller finds out whose numbers this caller can give out, and whether user namespaces.
func probeCaller(f *host.Facts) {
	l := f.Linux
	a := accountFiles{text("/etc/passwd"), text("/etc/group"), text("/etc/subuid"), text("/etc/subgid")}
	f.Slots.Clash = a.clash(f.Slots)
	if f.EUID != 0 {
		l.SubID = a.subID(f.EUID, idHelpers())
		if l.SubID != nil {
			f.Slots.Count = l.SubID.Fit(f.Slots.Count)
		}
		l.UserNSRestricted = sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1"
		if sysctl("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
			l.UserNSOff = "kernel.unprivileged_userns_clone=0"
		}
	}
	if sysctl("/proc/sys/user/max_user_namespaces") == "0" {
		l.UserNSOff = "user.max_user_namespaces=0"
	}
}

// release is uname -r.
func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// text is a small file of the system, "" when it cannot be read. The bound is
// for what an admin may have grown: a passwd of a directory server.
func text(path string) string {
	// Not os.ReadFile, which enters each of these files into its poller first.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	b := make([]byte, 0, 4096)
	for len(b) < maxText {
		b = slices.Grow(b, 2048)
		n, err := unix.Read(fd, b[len(b):cap(b)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return ""
		}
		if n == 0 {
			break
		}
		b = b[:len(b)+n]
	}
	return string(b)
}

const maxText = 8 << 20

func sysctl(path string) string { return strings.TrimSpace(text(path)) }

// memTotal reads MemTotal of proc_meminfo(5), in bytes.
func memTotal(meminfo string) int64 {
	for line := range strings.Lines(meminfo) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == "MemTotal:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// bridges lists the interfaces that are bridges.
func bridges(dir string) []string {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	var out []string
	for _, n := range names {
		var st unix.Stat_t
		if unix.Stat(dir+"/"+n+"/bridge", &st) == nil {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// opens says whether a device node opens for reading and writing. A node that
// is there and gives ENODEV has no driver behind it.
func opens(path string) bool {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// landlockABI asks landlock_create_ruleset(2) for its version; 0 without
// Landlock, also where it is compiled in and switched off at boot.
func landlockABI() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET,
		uintptr(unsafe.Pointer(nil)), 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// idHelpers says whether newuidmap(1) and newgidmap(1) are there with the
// privilege to do their work: setuid, or a file capability.
func idHelpers() bool {
	for _, name := range []string{"newuidmap", "newgidmap"} {
		path := filepath.Join("/usr/bin", name)
		st, err := os.Stat(path)
		if err != nil || st.Mode()&0o111 == 0 {
			return false
		}
		var b [64]byte
		n, err := unix.Getxattr(path, "security.capability", b[:])
		if st.Mode()&os.ModeSetuid == 0 && (err != nil || n <= 0) {
			return false
		}
	}
	return true
}
