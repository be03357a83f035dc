package host

import (
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/layer"
)

// What gives a layer back follows from what was asked and answered. A version
// of the kernel is named only where this kernel is older than that.
func TestWhyMissing(t *testing.T) {
	lack := func(errno string) layer.Probe {
		return layer.Probe{State: layer.Lacking, Detail: "the kernel's words", Asked: "clone3(2) with a user namespace", Errno: errno}
	}
	for _, tt := range []struct {
		name     string
		id       layer.ID
		probe    layer.Probe
		set      func(f *Facts)
		why, fix string
	}{
		{"chroot", layer.UserNamespace, lack("EPERM"), func(f *Facts) { f.Linux.Around.Chroot = true }, "this is a chroot", "pivot_root"},
		{"a container manager's listener", layer.Seccomp, lack("EBUSY"), func(f *Facts) { f.Linux.Around.Filters = 1 }, "has a listener on this process already", "outside of that container"},
		{"a container's filter", layer.PIDNamespace, lack("EPERM"), func(f *Facts) { f.Linux.Around.Filters = 1 }, "seccomp filter of a parent's", "seccomp profile"},
		{"refused by nobody known", layer.UserNamespace, lack("EPERM"), nil, "the kernel's words", "security module"},
		{"switched off", layer.UserNamespace, lack("ENOSPC"), func(f *Facts) { f.Linux.UserNSOff = "user.max_user_namespaces=0" }, "user.max_user_namespaces=0", "sysctl user.max_user_namespaces=10000"},
		{"Debian's switch", layer.UserNamespace, lack("EPERM"), func(f *Facts) { f.EUID, f.Linux.UserNSOff = 1000, "kernel.unprivileged_userns_clone=0" }, "kernel.unprivileged_userns_clone=0", "sysctl kernel.unprivileged_userns_clone=1"},
		{"another limit", layer.NetworkNamespace, lack("ENOSPC"), nil, "/proc/sys/user", "user.max_net_namespaces=10000"},
		{"nested", layer.UserNamespace, lack("EUSERS"), nil, "nested too deep", "outside"},
		{"no process", layer.UserNamespace, lack("EAGAIN"), nil, "no further process", "ulimit -u"},
		{"an old kernel", layer.Landlock, layer.Probe{State: layer.Lacking, Detail: "function not implemented", Errno: "ENOSYS"},
			func(f *Facts) { f.Kernel = "5.12.0" }, "function not implemented", "Linux 5.13 has it; this is 5.12.0"},
		{"a new kernel without it", layer.Landlock, layer.Probe{State: layer.Lacking, Detail: "not in this kernel"}, nil, "not in this kernel", "built or booted without it"},
		{"hidden by a filter", layer.WXMDWE, layer.Probe{State: layer.Lacking, Detail: "function not implemented", Errno: "ENOSYS"},
			func(f *Facts) { f.Linux.Around.Filters = 2 }, "function not implemented", "a seccomp filter of a parent's hides the call"},
		{"a refused keyring", layer.Keyring, layer.Probe{State: layer.Lacking, Detail: "operation not permitted", Asked: "keyctl(2)", Errno: "EPERM"}, nil, "keyctl(2): operation not permitted", "outside of that"},
		{"no control groups", layer.CgroupPids, layer.Probe{State: layer.Lacking}, func(f *Facts) { f.Linux.Cgroup = Cgroup{Mode: CgroupNone, Why: "none is mounted"} }, "none is mounted", "mount -t cgroup2"},
		{"read-only ones", layer.CgroupMemory, layer.Probe{State: layer.Lacking}, func(f *Facts) {
			f.Linux.Cgroup = Cgroup{Mode: CgroupNone, Why: "read-only", ReadOnly: "/sys/fs/cgroup"}
		}, "read-only", "remount,rw /sys/fs/cgroup"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := referenceLinux()
			f.Linux.Layers[tt.id] = tt.probe
			if tt.set != nil {
				tt.set(&f)
			}
			why, fix := f.whyMissing(tt.id)
			if !strings.Contains(why, tt.why) || !strings.Contains(fix, tt.fix) {
				t.Errorf("%q; %q", why, fix)
			}
			if strings.Contains(why+fix, "Linux 3.8") {
				t.Error("it asks for another kernel")
			}
		})
	}
}

// Layers that are missing for one reason are told in one row.
func TestDoctorGroupsReasons(t *testing.T) {
	f := referenceLinux()
	f.Linux.Around.Chroot = true
	for _, id := range namespaceLayers {
		f.Linux.Layers[id] = layer.Probe{State: layer.Lacking, Detail: "operation not permitted", Errno: "EPERM"}
	}
	rows := 0
	for _, r := range Doctor(f) {
		if r.Status == Fail && strings.Contains(r.Fact, "chroot") {
			rows++
			if !strings.Contains(r.Fact, "user-namespace, mount-namespace") || !strings.Contains(r.Fix, "pivot_root") {
				t.Errorf("%+v", r)
			}
		}
	}
	if rows != 1 {
		t.Errorf("%d rows", rows)
	}
	if _, err := ChooseLayers(cell.Hello(), f); err == nil || !strings.Contains(err.Error(), "chroot") || strings.Contains(err.Error(), "3.8") {
		t.Errorf("a start says %v", err)
	}
}

// No cell file can allow what no jail can do without.
func TestStandsInTheWay(t *testing.T) {
	f := referenceLinux()
	c := cell.Hello()
	c.Jail.AllowMissing = []string{string(layer.PrivateRoot)}
	if err := Ready(c, f); err != nil {
		t.Fatal(err)
	}
	f.Kernel = "5.10.0-32-amd64"
	f.Linux.Layers[layer.PrivateRoot] = layer.Probe{State: layer.Lacking, Detail: "function not implemented", Asked: "mount_setattr(2)", Errno: "ENOSYS"}
	if err := Ready(c, f); err == nil || !strings.Contains(err.Error(), "5.12") {
		t.Errorf("on Linux 5.10: %v", err)
	}
	if Worst(Doctor(f)) != Fail {
		t.Error("the doctor finds nothing wrong with Linux 5.10")
	}
	f = referenceLinux()
	f.Linux.Around.NoProc = "no /proc is mounted"
	if err := Ready(c, f); err == nil || !strings.Contains(err.Error(), "/proc") {
		t.Errorf("without /proc: %v", err)
	}
	f = referenceLinux()
	f.Linux.Around.NoNull = "open /dev/null: no such file or directory"
	if err := Ready(c, f); err == nil || !strings.Contains(err.Error(), "/dev/null") {
		t.Errorf("without /dev/null: %v", err)
	}
	if fix := f.FixQEMU(); !strings.Contains(fix, "/dev") {
		t.Errorf("without /dev/null the hint about QEMU is %s", fix)
	}
}

func TestShortLimits(t *testing.T) {
	for _, tt := range []struct {
		limits map[string]uint64
		want   string
	}{
		{nil, ""},
		{map[string]uint64{"nofile": 20000, "nproc": 4096, "fsize": 1 << 40, "as": 1 << 40}, ""},
		{map[string]uint64{"nofile": 64}, "ulimit -n"},
		{map[string]uint64{"nproc": 3}, "ulimit -u"},
		{map[string]uint64{"fsize": 10 << 10}, "ulimit -f"},
		{map[string]uint64{"as": 1 << 30}, "ulimit -v"},
	} {
		f := referenceLinux()
		f.Linux.Around.Limits = tt.limits
		err := Ready(cell.Hello(), f)
		if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v", tt.limits, err)
		}
		if (Worst(Doctor(f)) == Fail) != (tt.want != "") {
			t.Errorf("%v: the doctor says %s", tt.limits, Worst(Doctor(f)))
		}
	}
}

func TestBefore(t *testing.T) {
	for _, tt := range []struct {
		release, version string
		want             bool
	}{
		{"5.10.0-32-amd64", "5.12", true}, {"5.12.0", "5.12", false}, {"6.1.0-57-cloud-amd64", "6.3", true}, {"6.18.44", "6.3", false},
		{"7.0-rc1", "6.18", false}, {"6.12+deb13", "6.12", false}, {"4.19", "5.12", true}, {"", "5.12", false}, {"unknown", "5.12", false},
	} {
		if before(tt.release, tt.version) != tt.want {
			t.Errorf("before(%q, %q) is %v", tt.release, tt.version, !tt.want)
		}
	}
}
