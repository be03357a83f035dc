package linuxjail

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"skep/internal/jail"
	"skep/internal/jail/seccomp"
)

// BenchmarkStart is the cost of a jail with a QEMU's files in it, to the hypervisor's first
// instruction: true(1) in QEMU's place, and the time until it has ended.
func BenchmarkStart(b *testing.B) {
	spec := benchSpec(b)
	b.ResetTimer()
	for range b.N {
		p, err := Start(b.Context(), spec)
		if err != nil {
			b.Fatal(err)
		}
		<-p.Done()
		if err := p.Release(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBubblewrap does its own, with no file prepared one by one, for orientation.
func BenchmarkBubblewrap(b *testing.B) {
	if _, err := exec.LookPath("bwrap"); err != nil {
		b.Skip("no bwrap here")
	}
	for range b.N {
		if err := exec.Command("bwrap", "--unshare-all", "--ro-bind", "/", "/", "/bin/true").Run(); err != nil {
			b.Skip(err)
		}
	}
}

// BenchmarkBare is the same true(1) without any jail.
func BenchmarkBare(b *testing.B) {
	for range b.N {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchSpec(b *testing.B) Spec {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("needs root")
	}
	probes, err := ProbeLayers(testIdentity)
	if err != nil {
		b.Fatal(err)
	}
	empty, err := SharedEmptyMounts()
	if err != nil {
		b.Fatal(err)
	}
	files := closure(b, "/bin/true")
	seen := map[jail.RootfsPath]bool{}
	for _, f := range files {
		seen[f.Inside] = true
	}
	for _, f := range closure(b, qemuPath) {
		if !seen[f.Inside] {
			files = append(files, f)
		}
	}
	return Spec{Hostname: "cell", Identity: testIdentity, Path: "/bin/true", Argv: []string{"true"},
		Root: Root{Size: 1 << 20, Files: files}, Layers: decide(probes), Policy: seccomp.QEMU(seccomp.TCG), EmptyMounts: empty}
}

// BenchmarkParts shows where the time of a start goes.
func BenchmarkParts(b *testing.B) {
	spec := benchSpec(b)
	var parts [6][]time.Duration // medians, for a machine that does other things too
	for range b.N {
		at := time.Now()
		cloneThread, err := newCloneThread(spec)
		if err != nil {
			b.Fatal(err)
		}
		lap := func(i int) { now := time.Now(); parts[i] = append(parts[i], now.Sub(at)); at = now }
		filters, err := spec.compile()
		if err != nil {
			b.Fatal(err)
		}
		lap(0)
		l, err := newLaunch(spec)
		if err != nil {
			b.Fatal(err)
		}
		lap(1)
		program, err := build(spec, readFacts(), l.in, filters)
		if err != nil {
			b.Fatal(err)
		}
		loaded, err := program.load(l.in.errors)
		if err != nil {
			b.Fatal(err)
		}
		lap(2)
		p, err := l.clone(loaded, spec, cloneThread)
		if err != nil {
			b.Fatal(err)
		}
		lap(3)
		if err := l.watch(p, program, spec); err != nil {
			b.Fatal(err)
		}
		lap(4)
		<-p.Done()
		lap(5)
		_ = p.Release()
		l.close()
		cloneThread.leave()
	}
	for i, name := range []string{"compile", "open", "build", "clone", "rows", "exit"} {
		slices.Sort(parts[i])
		b.ReportMetric(float64(parts[i][b.N/2].Microseconds()), name+"-us")
	}
}

// BenchmarkQEMU is a real QEMU until its monitor speaks, in the jail and without one: what the
// start phase's questions cost shows in the difference.
func BenchmarkQEMU(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root")
	}
	b.Run("jail", func(b *testing.B) {
		spec, q := qemuSpec(b, "tcg")
		for range b.N {
			p, err := Start(b.Context(), spec)
			if err != nil {
				b.Fatal(err)
			}
			dial(b, q.qmp).conn.Close()
			_ = p.Kill()
			<-p.Done()
			_ = p.Release()
		}
	})
	b.Run("bare", func(b *testing.B) {
		spec, q := qemuSpec(b, "tcg")
		for range b.N {
			cmd := exec.Command(qemuPath, spec.Argv[1:]...)
			for _, fd := range spec.FDs {
				cmd.ExtraFiles = append(cmd.ExtraFiles, fd.File)
			}
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			dial(b, q.qmp).conn.Close()
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
}
