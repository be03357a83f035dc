package probe

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"skep/internal/host"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// at probes with a state directory and an environment of the test's own.
func at(t testing.TB, env map[string]string) Options {
	t.Helper()
	return Options{
		Dirs:   host.Dirs{State: filepath.Join(t.TempDir(), "state")},
		Getenv: func(k string) string { return env[k] },
	}
}

func probeOK(t testing.TB, o Options) host.Facts {
	t.Helper()
	f, err := Probe(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What is remembered is what would be found, and what is printed can be read.
func TestProbeTwice(t *testing.T) {
	o := at(t, nil)
	cold := probeOK(t, o)
	warm := probeOK(t, o)
	if d := cmp.Diff(cold, warm); d != "" {
		t.Error("cold and warm differ:", d)
	}
	if cold.OS != "linux" || cold.Linux == nil || cold.CPUs < 1 || cold.Memory < 1<<20 || cold.Kernel == "" {
		t.Errorf("%+v", cold)
	}
	b, err := json.Marshal(cold)
	if err != nil {
		t.Fatal(err)
	}
	var back host.Facts
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(cold, back); d != "" {
		t.Error("JSON loses something:", d)
	}
	if len(host.Doctor(cold)) < 8 {
		t.Error(host.Doctor(cold))
	}
}

// A cache that is damaged, unwritable or somebody else's changes no fact.
func TestCacheTolerated(t *testing.T) {
	o := at(t, map[string]string{host.EnvStubs: "no"}) // those lie in it
	want := probeOK(t, o)
	dir := filepath.Join(o.Dirs.State, "cache")
	file := filepath.Join(dir, qemuMemory)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Skip("nothing to remember on this host:", err)
	}
	for name, spoil := range map[string]func() error{
		"empty":        func() error { return os.WriteFile(file, nil, 0o600) },
		"cut short":    func() error { return os.WriteFile(file, good[:len(good)/2], 0o600) },
		"not JSON":     func() error { return os.WriteFile(file, []byte("\x00\xff"), 0o600) },
		"other shape":  func() error { return os.WriteFile(file, []byte(`{"version":1,"value":[1,2]}`), 0o600) },
		"later skep's": func() error { return os.WriteFile(file, []byte(`{"version":99,"value":{}}`), 0o600) },
		"a directory":  func() error { return os.Mkdir(file, 0o700) },
		"a FIFO":       func() error { return unix.Mkfifo(file, 0o600) },
		"a dead link":  func() error { return os.Symlink("/nowhere", file) },
		"dir is a file": func() error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.WriteFile(dir, nil, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := spoil(); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, probeOK(t, o)); d != "" {
				t.Error(d)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Error("left behind:", left)
			}
		})
	}
}

// Who can write to a remembered list decides what root puts into rootfs directories.
func TestCacheDistrust(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make files of others")
	}
	o := at(t, map[string]string{host.EnvStubs: "no"}) // of those see TestStubsDistrust
	want := probeOK(t, o)
	if want.Linux.QEMU == nil {
		t.Skip("no QEMU")
	}
	dir := filepath.Join(o.Dirs.State, "cache")
	file := filepath.Join(dir, qemuMemory)
	poison := func(t *testing.T) {
		var r remembered
		if err := (cache{dir}).load(qemuMemory, &r); err != nil {
			t.Fatal(err)
		}
		r.QEMU.Files[0].Host = "/etc/shadow"
		if err := (cache{dir}).save(qemuMemory, r); err != nil {
			t.Fatal(err)
		}
		if got := probeOK(t, o).Linux.QEMU.Files[0].Host; got != "/etc/shadow" {
			t.Fatal("the test's own poison does not work:", got)
		}
	}
	for name, expose := range map[string]func() error{
		"file of a user":      func() error { return os.Chown(file, 1000, 1000) },
		"file for the group":  func() error { return os.Chmod(file, 0o620) },
		"file for everybody":  func() error { return os.Chmod(file, 0o602) },
		"directory of a user": func() error { return os.Chown(dir, 1000, 1000) },
		"directory for all":   func() error { return os.Chmod(dir, 0o777) },
		"a link to it": func() error {
			if err := os.Rename(file, file+".real"); err != nil {
				return err
			}
			return os.Symlink(file+".real", file)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			probeOK(t, o)
			poison(t)
			if err := expose(); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, probeOK(t, o)); d != "" {
				t.Error("believed:", d)
			}
		})
	}
}

// A file of the closure that changed makes what was remembered void.
func TestSeal(t *testing.T) {
	d := t.TempDir()
	a, b := filepath.Join(d, "a"), filepath.Join(d, "b")
	if err := os.WriteFile(a, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := sealOf([]string{b, a, a})
	if len(s.Paths) != 2 || !s.holds() {
		t.Fatal(s)
	}
	if (seal{}).holds() {
		t.Error("nothing was sealed, and it holds")
	}
	if err := os.WriteFile(b, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.holds() {
		t.Error("a file appeared unnoticed")
	}
	s = sealOf([]string{a})
	var st unix.Stat_t
	if err := unix.Stat(a, &st); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a, []byte("2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, a, []unix.Timespec{st.Atim, st.Mtim}, 0); err != nil {
		t.Fatal(err)
	}
	if s.holds() {
		t.Error("a file of the same size with its old date passes as unchanged")
	}
}

func TestKVMRemembered(t *testing.T) {
	o := at(t, nil)
	f := probeOK(t, o)
	if !f.Linux.KVM.Opens || f.Linux.QEMU == nil {
		t.Skip("no KVM, or no QEMU")
	}
	if f.Linux.KVM.Tried {
		t.Fatal("tried without anybody to try it")
	}
	calls := 0
	o.TryKVM = func(_ context.Context, f host.Facts) host.Trial {
		calls++
		if f.Linux.QEMU == nil {
			t.Error("the trial has no facts to plan with")
		}
		return host.Trial{Works: true, CPU: "max,arch-capabilities=off"}
	}
	for range 2 {
		k := probeOK(t, o).Linux.KVM
		if !k.Tried || !k.Works || k.CPU != "max,arch-capabilities=off" {
			t.Errorf("%+v", k)
		}
	}
	if calls != 1 {
		t.Errorf("tried %d times", calls)
	}
	if err := RememberKVM(f, host.Trial{Why: "no greeting"}); err != nil {
		t.Fatal(err)
	}
	if k := probeOK(t, o).Linux.KVM; k.Works || k.Why != "no greeting" {
		t.Errorf("%+v", k)
	}
	for _, s := range []string{"aa", "bb", "aa"} {
		if err := RememberRefused(f.Dirs.State, s); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"aa", "bb"}, probeOK(t, o).Linux.KVM.Refused); d != "" {
		t.Error(d)
	}
}

// A trial that was interrupted says nothing about KVM.
func TestKVMInterrupted(t *testing.T) {
	o := at(t, nil)
	if f := probeOK(t, o); !f.Linux.KVM.Opens || f.Linux.QEMU == nil {
		t.Skip("no KVM, or no QEMU")
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.TryKVM = func(context.Context, host.Facts) host.Trial { cancel(); return host.Trial{Why: "killed"} }
	if f, err := Probe(ctx, o); err != nil || f.Linux.KVM.Tried {
		t.Error(f.Linux.KVM, err)
	}
}

// A trial that could not be held is not remembered: the next one may be.
func TestKVMTrialThatFailed(t *testing.T) {
	o := at(t, nil)
	if f := probeOK(t, o); !f.Linux.KVM.Opens || f.Linux.QEMU == nil {
		t.Skip("no KVM, or no QEMU")
	}
	o.TryKVM = func(context.Context, host.Facts) host.Trial { return host.Trial{Why: "no space", Unsure: true} }
	if f := probeOK(t, o); !f.Linux.KVM.Tried || f.Linux.KVM.Works || f.Linux.KVM.Why != "no space" {
		t.Error(f.Linux.KVM)
	}
	o.TryKVM = func(context.Context, host.Facts) host.Trial { return host.Trial{Works: true} }
	if f := probeOK(t, o); !f.Linux.KVM.Works {
		t.Error(f.Linux.KVM)
	}
}

func TestQEMUByEnvironment(t *testing.T) {
	script := filepath.Join(t.TempDir(), "qemu")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho QEMU emulator version 9.9.9\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/nowhere/qemu", "/etc/passwd", "/etc", "/bin/true", script} {
		f := probeOK(t, at(t, map[string]string{host.EnvQEMU: p}))
		if f.Linux.QEMU != nil || f.Linux.QEMUWhy == "" {
			t.Errorf("%s: %+v, %q", p, f.Linux.QEMU, f.Linux.QEMUWhy)
		}
	}
	if _, err := Probe(t.Context(), at(t, map[string]string{host.EnvQEMU: "relative/qemu"})); err == nil {
		t.Error("a relative path was taken")
	}
}

// The hot path: every command begins with it.
func BenchmarkProbeWarm(b *testing.B) {
	o := at(b, nil)
	probeOK(b, o)
	for b.Loop() {
		probeOK(b, o)
	}
}

func BenchmarkProbeCold(b *testing.B) {
	o := at(b, nil)
	o.NoCache = true
	for b.Loop() {
		probeOK(b, o)
	}
}
