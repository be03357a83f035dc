package linuxjail

import (
	"bufio"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/jail"
	"skep/internal/jail/seccomp"
	"skep/internal/layer"
)

// TestMain is also the program that the tests put in the hypervisor's place.
func TestMain(m *testing.M) {
	if os.Args[0] == prisonerName {
		prisoner()
		return
	}
	os.Exit(m.Run())
}

// needRoot skips what only root can do; the unprivileged jail has tests of its own.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: maps a foreign user")
	}
}

var testIdentity = Identity{UID: 700123, GID: 700124, Mapping: jail.ByRoot}

// decisions are those of this host, with nothing allowed to be missing but what it cannot have.
func decisions(t testing.TB, id Identity) []layer.Decision {
	t.Helper()
	probes, err := ProbeLayers(id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layer.Decide(probes, nil); err != nil {
		t.Logf("this host: %v", err)
	}
	return decide(probes)
}

func decide(probes map[layer.ID]layer.Probe) []layer.Decision {
	d, _ := layer.Decide(probes, nil) // what is missing is left out of the jail
	return d
}

// closure is a program with its libraries and its loader, as ldd(1) finds them.
func closure(t testing.TB, program string) []File {
	t.Helper()
	files := []File{{Inside: jail.RootfsPath(program), Host: jail.HostPath(program), Exec: true}}
	out, err := exec.Command("ldd", program).CombinedOutput()
	if err != nil { // a static program has none
		return files
	}
	for _, m := range regexp.MustCompile(`(?m)(/\S+) \(0x`).FindAllStringSubmatch(string(out), -1) {
		files = append(files, File{Inside: jail.RootfsPath(m[1]), Host: jail.HostPath(m[1]), Exec: true})
	}
	return files
}

// prisonSpec puts the test binary itself into a jail; it talks on descriptor 3.
func prisonSpec(t *testing.T, id Identity) (Spec, *bufio.ReadWriter) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files := closure(t, self)
	files[0].Inside = "/bin/prisoner"
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(pair[0], true); err != nil { // or it takes no deadline
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	if err := ours.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "kernel")
	if err := os.WriteFile(copied, []byte(strings.Repeat("k", 100_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	kernel, err := os.Open(copied)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kernel.Close() })
	return Spec{
		Hostname: "cell-one", Identity: id, OOMScoreAdj: 500,
		Root: Root{Size: 1 << 20, Files: append(files, File{Inside: "/share/os-release", Host: "/etc/os-release"}),
			Copies: []Copy{{Inside: "/boot/kernel", From: kernel, Size: 100_000}}},
		Stderr: os.Stderr,
		FDs:    []jail.FD{{Name: "talk", File: theirs}}, Path: "/bin/prisoner", Argv: []string{prisonerName},
		Limits: []jail.Limit{{Name: "nofile", Value: 64}, {Name: "memlock", Value: 65536}},
		Layers: decisions(t, id), Policy: widePolicy(),
	}, bufio.NewReadWriter(bufio.NewReader(ours), bufio.NewWriter(ours))
}

// widePolicy is for a program in Go, which needs more than QEMU does: all calls, save those the
// tests look at.
func widePolicy() seccomp.Policy {
	var p seccomp.Policy
	for _, call := range seccomp.Calls() {
		switch call {
		case "execve", "execveat":
			p.Rows = append(p.Rows, seccomp.Row{Call: call, Phase: seccomp.Once})
		case "clone3":
			p.Rows = append(p.Rows, seccomp.Row{Call: call, Phase: seccomp.Absent})
		case "personality": // the start's
		case "bpf", "mknod", "mknodat", "setuid", "setresuid":
			p.Never = append(p.Never, seccomp.Row{Call: call, Phase: seccomp.Never})
		default:
			p.Rows = append(p.Rows, seccomp.Row{Call: call})
		}
	}
	return p
}

func start(t testing.TB, spec Spec) *Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p, err := Start(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Kill()
		gone(t, p)
		if err := p.Release(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// within bounds a wait for what should come at once.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), minute)
	t.Cleanup(cancel)
	return ctx
}

// gone waits for the end of what was killed. A process that the kernel does not let go fails its
// test, and with the reason, instead of the whole package.
func gone(t testing.TB, p *Process) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(minute):
		t.Errorf("process %d was killed and is still there\n%s", p.Pid(), threads(p.Pid()))
	}
}

// ask sends one request to the prisoner and returns its report.
func ask(t *testing.T, talk *bufio.ReadWriter, request string) report {
	t.Helper()
	if _, err := talk.WriteString(request + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := talk.Flush(); err != nil {
		t.Fatal(err)
	}
	line, err := talk.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the prisoner does not answer: %v", err)
	}
	var r report
	if err := json.Unmarshal(line, &r); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return r
}

// inside lists all that is reachable from the process's root, directories left out.
func inside(t *testing.T, pid int) []string {
	t.Helper()
	root := filepath.Join("/proc", itoa(pid), "root")
	var names []string
	err := filepath.WalkDir(root+"/", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(p, root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func proc(t *testing.T, pid int, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", itoa(pid), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
