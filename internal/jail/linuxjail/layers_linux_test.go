package linuxjail

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"skep/internal/layer"
)

func TestRoomSeenFromOutside(t *testing.T) {
	needRoot(t)
	spec, talk := prisonSpec(t, testIdentity)
	p := start(t, spec)
	ask(t, talk, "look") // it has exec'ed and runs

	t.Run("files", func(t *testing.T) {
		var want []string
		for _, path := range spec.Root.paths() {
			want = append(want, string(path))
		}
		slices.Sort(want)
		if got := inside(t, p.Pid()); !slices.Equal(got, want) {
			t.Errorf("the rootfs holds %q, planned is %q", got, want)
		}
	})
	t.Run("mounts", func(t *testing.T) {
		info := strings.TrimSpace(proc(t, p.Pid(), "mountinfo"))
		lines := strings.Split(info, "\n")
		if want := 1 + len(spec.Root.Files); len(lines) != want {
			t.Errorf("%d mounts, want %d:\n%s", len(lines), want, info)
		}
		for _, line := range lines {
			options := strings.Split(strings.Fields(line)[5], ",")
			for _, o := range []string{"ro", "nosuid", "nodev"} {
				if !slices.Contains(options, o) {
					t.Errorf("not %s: %s", o, line)
				}
			}
			if at := strings.Fields(line)[4]; (at == "/" || at == "/share/os-release") != slices.Contains(options, "noexec") {
				t.Errorf("noexec is wrong: %s", line)
			}
			if strings.Contains(line, "shared:") || strings.Contains(line, "master:") {
				t.Errorf("is not private: %s", line)
			}
		}
	})
	t.Run("namespaces", func(t *testing.T) {
		for _, ns := range []string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"} {
			here, err := os.Readlink("/proc/self/ns/" + ns)
			if err != nil {
				t.Fatal(err)
			}
			if there, err := os.Readlink(filepath.Join("/proc", itoa(p.Pid()), "ns", ns)); err != nil || here == there {
				t.Errorf("%s: %s here, %s there, %v", ns, here, there, err)
			}
		}
	})
	t.Run("status", func(t *testing.T) {
		status := proc(t, p.Pid(), "status")
		for _, want := range []string{
			"Uid:\t700123\t700123\t700123\t700123\n", "Gid:\t700124\t700124\t700124\t700124\n", "Groups:\t \n",
			"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
			"CapBnd:\t0000000000000000\n", "CapAmb:\t0000000000000000\n",
			"NoNewPrivs:\t1\n", "Seccomp:\t2\n", "Seccomp_filters:\t1\n",
		} {
			if !strings.Contains(status, want) {
				t.Errorf("no %q in\n%s", want, status)
			}
		}
	})
	t.Run("files open", func(t *testing.T) {
		entries, err := os.ReadDir(filepath.Join("/proc", itoa(p.Pid()), "fd"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			target, _ := os.Readlink(filepath.Join("/proc", itoa(p.Pid()), "fd", e.Name()))
			// The Go runtime opens an epoll and an eventfd for itself.
			if e.Name() > "3" && !strings.HasPrefix(target, "anon_inode:[event") {
				t.Errorf("descriptor %s is open: %s", e.Name(), target)
			}
		}
	})
	if env := proc(t, p.Pid(), "environ"); env != "" {
		t.Errorf("environment: %q", env)
	}
	if score := proc(t, p.Pid(), "oom_score_adj"); score != "500\n" {
		t.Errorf("oom_score_adj is %q", score)
	}
	if persona := proc(t, p.Pid(), "personality"); persona != "00000000\n" {
		t.Errorf("personality is %q", persona)
	}
	if sid := strings.Fields(proc(t, p.Pid(), "stat"))[5]; sid != itoa(p.Pid()) {
		t.Errorf("session %s, not its own %d", sid, p.Pid())
	}
}

func TestRoomSeenFromInside(t *testing.T) {
	needRoot(t)
	spec, talk := prisonSpec(t, testIdentity)
	start(t, spec)
	r := ask(t, talk, "look")
	if r.UID != 700123 || r.GID != 700124 || len(r.Groups) != 0 {
		t.Errorf("user %d, group %d, groups %v", r.UID, r.GID, r.Groups)
	}
	if r.PID != 1 || r.PPID != 0 || r.Hostname != "cell-one" || len(r.Env) != 0 {
		t.Errorf("pid %d of %d on %q with %q", r.PID, r.PPID, r.Hostname, r.Env)
	}
	if !slices.Equal(r.Links, []string{"lo"}) {
		t.Errorf("network devices: %q", r.Links)
	}
	if r.Limits["core"] != 0 || r.Limits["nofile"] != 64 || r.Limits["memlock"] != 65536 {
		t.Errorf("limits: %v", r.Limits)
	}
	if r.Kernel != 100_000 {
		t.Errorf("%d bytes of the copied file", r.Kernel)
	}
}

// Each row is tried twice: in the whole jail, and in one that lacks the layer that the row is about.
// A row without a layer is stopped, or allowed, by more than one of them.
func TestEachLayerStopsWhatItMust(t *testing.T) {
	needRoot(t)
	rows := []struct {
		try     string
		layer   layer.ID
		want    string
		without string
	}{
		{"read-file", "", "ok", ""},
		{"map-own-exec", "", "ok", ""},
		{"mmap-wx", layer.WXMDWE, "EACCES", "ok"},
		{"mprotect-gain", layer.WXMDWE, "EACCES", "ok"},
		{"map-copy-exec", "", "EPERM", ""},
		{"map-data-exec", "", "EPERM", ""},
		{"list-root", layer.Landlock, "EACCES", "ok"},
		{"read-host", "", "ENOENT", ""},
		{"climb-out", "", "ENOENT", ""},
		{"create-file", layer.Landlock, "EROFS", "EROFS"},
		{"write-file", "", "EACCES", ""},
		{"mknod", layer.Capabilities, "EPERM", "EPERM"},
		{"mount", layer.Capabilities, "EPERM", "EPERM"},
		{"setuid", layer.Seccomp, "EPERM", "EINVAL"},
		{"raise-nofile", layer.RLimits, "EPERM", "ok"},
		{"bpf", layer.Seccomp, "EPERM", "EINVAL"},
		{"future-call", layer.Seccomp, "ENOSYS", "ENOSYS"},
		{"clone3", layer.Seccomp, "ENOSYS", "EINVAL"},
		{"exec-self", layer.OneExec, "EPERM", ""},
		{"execveat-self", layer.OneExec, "EPERM", ""},
		{"bind-tcp", layer.Landlock, "EACCES", "ok"},
	}
	jails := map[layer.ID]func(t *testing.T, try string) string{}
	in := func(t *testing.T, id layer.ID) func(*testing.T, string) string {
		if jails[id] == nil {
			spec, talk := prisonSpec(t, testIdentity)
			if id != "" {
				spec.Layers = layer.Without(spec.Layers, id)
			}
			start(t, spec)
			jails[id] = func(t *testing.T, name string) string { return ask(t, talk, "try "+name).Tries[name] }
		}
		return jails[id]
	}
	for _, row := range rows {
		if got := in(t, "")(t, row.try); got != row.want {
			t.Errorf("%s: got %s, want %s", row.try, got, row.want)
		}
		if row.layer == "" || row.without == "" {
			continue
		}
		if got := in(t, row.layer)(t, row.try); got != row.without {
			t.Errorf("%s without %s: got %s, want %s", row.try, row.layer, got, row.without)
		}
	}
}

func TestSealEndsTheStart(t *testing.T) {
	needRoot(t)
	spec, talk := prisonSpec(t, testIdentity)
	p := start(t, spec)
	if got := ask(t, talk, "try start-only").Tries["start-only"]; got != "ok" {
		t.Errorf("before: %s", got)
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"start-only", "exec-self"} {
		if got := ask(t, talk, "try "+name).Tries[name]; got != "EPERM" {
			t.Errorf("%s afterwards: %s", name, got)
		}
	}
	if !p.Record().Sealed {
		t.Error("the record does not say so")
	}
	if err := p.Seal(); err != nil {
		t.Errorf("sealed twice: %v", err)
	}
}

// Both ways to empty a rootfs do the same: from a thread of root's, and by a child as an ordinary user's
// keeper has to.
func TestEmptyRootfs(t *testing.T) {
	needRoot(t)
	for _, way := range []struct {
		name  string
		empty func(p *Process, pidfd int) error
	}{
		{"thread", func(_ *Process, pidfd int) error {
			visited, err := visit(pidfd)
			if !visited {
				t.Error("the thread may not go in")
			}
			return err
		}},
		{"child", func(p *Process, pidfd int) error { return enter(emptying(p.Record(), pidfd)) }},
	} {
		t.Run(way.name, func(t *testing.T) {
			spec, talk := prisonSpec(t, testIdentity)
			if _, err := os.Stat("/dev/kvm"); err == nil {
				spec.Root.Nodes = []Node{{"/dev/kvm", "/dev/kvm"}}
			}
			p := start(t, spec)
			ask(t, talk, "look")
			if err := p.control(func(pidfd int) error { return way.empty(p, pidfd) }); err != nil {
				t.Fatal(err)
			}
			threads, _ := filepath.Glob("/proc/self/task/*/ns/mnt")
			for _, ns := range threads {
				there, _ := os.Readlink(filepath.Join("/proc", itoa(p.Pid()), "ns/mnt"))
				if here, err := os.Readlink(ns); err == nil && here == there {
					t.Errorf("%s is still in there", ns)
				}
			}
			if left := inside(t, p.Pid()); len(left) != 0 {
				t.Errorf("left: %q", left)
			}
			info := proc(t, p.Pid(), "mountinfo")
			if strings.Count(info, "\n") != 1 || !strings.Contains(info, " / / ro,nosuid,nodev,noexec") {
				t.Errorf("mounts left:\n%s", info)
			}
			entries, err := os.ReadDir(filepath.Join("/proc", itoa(p.Pid()), "root"))
			if err != nil || len(entries) != 0 {
				t.Errorf("directories left: %v %v", entries, err)
			}
			if got := ask(t, talk, "try read-file").Tries["read-file"]; got != "ENOENT" {
				t.Errorf("read a file: %s", got)
			}
		})
	}
}
