package linuxjail

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/layer"
	"skep/internal/process"
)

// Each way for a start to fail names what failed, and leaves no process.
func TestStartFails(t *testing.T) {
	needRoot(t)
	for _, row := range []struct {
		name  string
		spoil func(*Spec)
		step  string
		errno unix.Errno
		text  string
	}{
		{"program is no program", func(s *Spec) { s.Path = "/share/os-release" }, "exec", unix.EACCES, ""},
		{"file is missing", func(s *Spec) { s.Root.Files[0].Host = "/nowhere/qemu" }, "", unix.ENOENT, "/nowhere/qemu"},
		{"copy is shorter than told", func(s *Spec) { s.Root.Copies[0].Size++ }, "copy-/boot/kernel", unix.ENODATA, ""},
		{"rootfs is too small", func(s *Spec) { s.Root.Size = 4096 }, "copy-/boot/kernel", unix.ENOSPC, ""},
		{"too few files", func(s *Spec) { s.Limits = []jail.Limit{{Name: "nofile", Value: 3}} }, "", 0, "3 open files are too few"},
		{"unknown limit", func(s *Spec) { s.Limits = []jail.Limit{{Name: "fish", Value: 3}} }, "", 0, `"fish"`},
		{"path climbs out", func(s *Spec) { s.Root.Files[0].Inside = "/../x" }, "", 0, `"/../x"`},
		{"path twice", func(s *Spec) { s.Root.Copies[0].Inside = s.Root.Files[0].Inside }, "", 0, "twice"},
		{"user is root", func(s *Spec) { s.Identity.UID = 0 }, "", 0, "neither may be 0"},
		{"device elsewhere", func(s *Spec) { s.Root.Nodes = []Node{{"/tmp/null", "/dev/null"}} }, "", 0, "not in /dev"},
		{"file as device", func(s *Spec) { s.Root.Nodes = []Node{{"/dev/null", "/etc/passwd"}} }, "", unix.ENODEV, "/etc/passwd"},
		{"descriptor is not open", func(s *Spec) { s.FDs = append(s.FDs, jail.FD{Name: "tap"}) }, "", 0, "(tap)"},
		{"cgroup is gone", func(s *Spec) { s.Cgroups.V1Procs = []string{"/nowhere/cgroup.procs"} }, "", unix.ENOENT, "cgroup"},
		{"call is misspelt", func(s *Spec) { s.Policy.Rows[0].Call = "raed" }, "", 0, `"raed"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			spec, _ := prisonSpec(t, testIdentity)
			row.spoil(&spec)
			before := openFiles(t)
			p, err := Start(t.Context(), spec)
			if err == nil {
				_ = p.Kill()
				t.Fatal("it starts")
			}
			var step *jail.StepError
			if errors.As(err, &step) != (row.step != "") || step != nil && step.Step != row.step {
				t.Errorf("got %v, want step %q", err, row.step)
			}
			if row.errno != 0 && !errors.Is(err, row.errno) {
				t.Errorf("got %v, want %v", err, row.errno)
			}
			if !strings.HasPrefix(err.Error(), "cannot ") || !strings.Contains(err.Error(), row.text) {
				t.Errorf("got %v, want %q in it", err, row.text)
			}
			if after := openFiles(t); after > before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
			if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
				t.Errorf("a child is left: %v", err)
			}
		})
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A layer that fails to apply stops the start and is named, also when it is not the first row.
func TestLayerIsNamed(t *testing.T) {
	needRoot(t)
	spec, _ := prisonSpec(t, testIdentity)
	spec.Limits = []jail.Limit{{Name: "memlock", Value: ^uint64(0)}} // above the hard limit, which a user may not raise
	_, err := Start(t.Context(), spec)
	var step *jail.StepError
	if !errors.As(err, &step) || step.Layer != layer.RLimits || step.Step != "limit-memlock" || step.Errno != unix.EPERM {
		t.Errorf("got %v", err)
	}
}

func TestContextEndsAStart(t *testing.T) {
	needRoot(t)
	spec, _ := prisonSpec(t, testIdentity)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if p, err := Start(ctx, spec); !errors.Is(err, context.Canceled) {
		_ = p.Kill()
		t.Errorf("got %v", err)
	}
}

func TestExit(t *testing.T) {
	needRoot(t)
	spec, talk := prisonSpec(t, testIdentity)
	p := start(t, spec)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it has ended: %v", err)
	}
	_, _ = talk.WriteString("exit 7\n")
	_ = talk.Flush()
	if exit, err := p.Wait(within(t)); err != nil || exit != (jail.Exit{Seen: true, Code: 7}) {
		t.Errorf("%+v, %v", exit, err)
	}
	if err := p.Kill(); err != nil {
		t.Errorf("killing what has ended: %v", err)
	}
	spec, _ = prisonSpec(t, testIdentity)
	p = start(t, spec)
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	if exit, _ := p.Wait(within(t)); exit != (jail.Exit{Seen: true, Signal: 9}) {
		t.Errorf("%+v", exit)
	}
}

func TestAdopt(t *testing.T) {
	needRoot(t)
	spec, talk := prisonSpec(t, testIdentity)
	p := start(t, spec)
	if _, err := Adopt(p.Pid(), p.StartTime()+1, jail.Record{}); !errors.Is(err, process.ErrGone) {
		t.Errorf("another process of that number: %v", err)
	}
	a, err := Adopt(p.Pid(), p.StartTime(), p.Record())
	if err != nil {
		t.Fatal(err)
	}
	ask(t, talk, "look") // with a loader's work behind it, which needs the files
	if err := a.Empty(t.Context()); err != nil {
		t.Error(err)
	}
	if got := ask(t, talk, "try read-file").Tries["read-file"]; got != "ENOENT" {
		t.Errorf("the rootfs is not empty: %s", got)
	}
	if err := a.Kill(); err != nil {
		t.Error(err)
	}
	if exit, err := a.Wait(within(t)); err != nil || exit.Seen {
		t.Errorf("%+v, %v: an adopter does not see the status", exit, err)
	}
	if err := a.Release(); err != nil {
		t.Error(err)
	}
	gone(t, p)
	if _, err := Adopt(p.Pid(), p.StartTime(), jail.Record{}); !errors.Is(err, process.ErrGone) {
		t.Errorf("one that is gone: %v", err)
	}
}

// Twenty at once, from many threads, while the collector runs: the child must not meet the runtime.
func TestManyAtOnce(t *testing.T) {
	needRoot(t)
	var wg sync.WaitGroup
	for range 20 {
		spec, talk := prisonSpec(t, testIdentity)
		wg.Go(func() {
			p, err := Start(t.Context(), spec)
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Release()
			_, _ = talk.WriteString("look\n")
			_ = talk.Flush()
			if _, err := talk.ReadBytes('\n'); err != nil {
				t.Error(err)
			}
			_ = bytes.Repeat([]byte("garbage"), 1<<16)
			_ = p.Kill()
			gone(t, p)
		})
	}
	wg.Wait()
}

// A keeper that dies after the exec leaves the hypervisor alone.
func TestKeeperDies(t *testing.T) {
	needRoot(t)
	if os.Getenv("SKEP_TEST_KEEPER") != "" {
		spec, talk := prisonSpec(t, testIdentity)
		p := start(t, spec)
		ask(t, talk, "look")
		os.Stdout.WriteString("pid " + itoa(p.Pid()) + "\n")
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestKeeperDies$")
	cmd.Env = append(os.Environ(), "SKEP_TEST_KEEPER=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	text := make([]byte, 4096)
	n, err := io.ReadAtLeast(out, text, 6)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if i := strings.Index(string(text[:n]), "pid "); i >= 0 {
		pid, _ = parseInt(strings.TrimSpace(string(text[i+4 : n])))
	}
	if _, err := os.Stat(filepath.Join("/proc", itoa(pid))); pid == 0 || err != nil {
		t.Errorf("process %d went with its keeper: %v", pid, err)
	}
	// The prisoner ends itself some time after its talk, which the keeper held.
	deadline := time.Now().Add(5 * time.Second)
	for {
		if _, err := os.Stat(filepath.Join("/proc", itoa(pid))); pid > 0 && err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d is still there", pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A keeper that is gone before it has mapped the user takes the child with it.
func TestKeeperDiesBeforeTheStart(t *testing.T) {
	needRoot(t)
	spec, _ := prisonSpec(t, testIdentity)
	l, err := newLaunch(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	program, err := build(spec, readFacts(), l.in, compiled{})
	if err != nil {
		t.Fatal(err)
	}
	child, err := program.load(l.in.errors)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := child.fork(&cloneArgs{Flags: unix.CLONE_NEWUSER | unix.CLONE_CLEAR_SIGHAND, ExitSignal: uint64(unix.SIGCHLD)})
	if err != nil {
		t.Fatal(err)
	}
	l.dropChildEnds()
	unix.Close(l.sync) // as its death would
	l.sync = -1
	var step *jail.StepError
	if err := l.failure(program); !errors.As(err, &step) || step.Step != "wait-for-keeper" {
		t.Errorf("got %v", err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil || status.ExitStatus() != 255 {
		t.Errorf("it ended with %v, %v", status, err)
	}
}
