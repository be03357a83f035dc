package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/host"
	"skep/internal/probe"
)

// TestMain is also the program that readers are run in.
func TestMain(m *testing.M) {
	ServeIfAsked(Readers{
		"copy": func(in Inside) error { _, err := io.Copy(in.Out, in.Files["in"]); return err },
		"fail": func(Inside) error { return errors.New("bad \x1b[2J picture") },
		"say": func(in Inside) error {
			for i := range 4 {
				in.Progress(float64(i) / 4)
			}
			fmt.Fprint(in.Out, in.Args)
			return nil
		},
		"threads": func(in Inside) error {
			var all sync.WaitGroup
			for range 12 {
				all.Go(func() {
					runtime.LockOSThread() // a thread of its own
					time.Sleep(100 * time.Millisecond)
				})
			}
			all.Wait()
			_, err := io.WriteString(in.Out, "done")
			return err
		},
		"flood": func(in Inside) error { _, err := io.Copy(in.Out, zeros{}); return err },
		"spin": func(Inside) error {
			for {
				_ = time.Now()
			}
		},
		"sleep": func(Inside) error { time.Sleep(time.Hour); return nil },
		"eat":   func(Inside) error { return eat() },
		"write": func(in Inside) error { _, err := in.Files["in"].WriteAt([]byte("x"), 0); return err },
		"all":   everything,
		"panic": func(Inside) error { panic("oh") },
	})
	os.Exit(m.Run())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func eat() error {
	var all [][]byte
	for range 1 << 20 {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
	}
	return fmt.Errorf("%d MiB", len(all))
}

func facts(t testing.TB) host.Facts {
	t.Helper()
	f, err := probe.ForTools(probe.Options{NoCache: true})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func file(t testing.TB, content string, flags int) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func job(t testing.TB, reader string, args ...string) Job {
	return Job{Tool: Reader(reader), Args: args, Files: []File{{Name: "in", File: file(t, "what a guest wrote", os.O_RDONLY|unix.O_NONBLOCK)}},
		Limits: Limits{Wall: 20 * time.Second}}
}

func TestReader(t *testing.T) {
	out, err := Run(t.Context(), facts(t), job(t, "copy"))
	if err != nil || string(out.Bytes) != "what a guest wrote" || len(out.Refused) > 0 {
		t.Errorf("%q, %v; refused %v, words %q", out.Bytes, err, out.Refused, out.Words)
	}
	var seen []float64
	j := job(t, "say", "a", "b c")
	var to bytes.Buffer
	j.Out, j.Progress = &to, func(d float64) { seen = append(seen, d) }
	if out, err = Run(t.Context(), facts(t), j); err != nil || to.String() != "[a b c]" || out.Bytes != nil || len(seen) != 4 || seen[3] != 0.75 {
		t.Errorf("%q, %v, %v", to.String(), seen, err)
	}
}

// What ends a reader has a name, and nothing of a reader reaches a terminal.
func TestReaderEnds(t *testing.T) {
	f := facts(t)
	for _, tt := range []struct {
		reader string
		limits Limits
		is     error
		says   string
	}{
		{"fail", Limits{}, ErrFailed, "bad ?[2J picture"},
		{"panic", Limits{}, ErrFailed, "ended"},
		{"nobody", Limits{}, ErrFailed, `no reader "nobody"`},
		{"write", Limits{}, ErrFailed, "bad file descriptor"},
		{"flood", Limits{Output: 1 << 20}, ErrBound, "more than 1048576 bytes"},
		{"sleep", Limits{Wall: 300 * time.Millisecond}, ErrBound, "longer than 300ms"},
		{"spin", Limits{CPU: time.Second, Wall: 30 * time.Second}, ErrBound, "more than 1s of the processor"},
		{"eat", Limits{Memory: 64 << 20}, ErrFailed, "ended"},
	} {
		t.Run(tt.reader, func(t *testing.T) {
			j := job(t, tt.reader)
			j.Limits = tt.limits
			out, err := Run(t.Context(), f, j)
			if !errors.Is(err, tt.is) || !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("%v; words %q; refused %v", err, out.Words, out.Refused)
			}
			if int64(len(out.Bytes)) > max(j.Limits.Output, 16<<20) {
				t.Errorf("%d bytes of output", len(out.Bytes))
			}
		})
	}
}

// A context that ends takes the tool with it.
func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	if _, err := Run(ctx, facts(t), job(t, "sleep")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func qemuImg(t testing.TB) string {
	t.Helper()
	p, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Skip("no qemu-img here")
	}
	return p
}

func TestConvert(t *testing.T) {
	img := qemuImg(t)
	dir := t.TempDir()
	src, qcow2 := filepath.Join(dir, "src"), filepath.Join(dir, "img.qcow2")
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB
	if err := os.WriteFile(src, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(img, "convert", "-O", "qcow2", src, qcow2).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(qcow2, 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(qcow2)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	to, err := os.OpenFile(filepath.Join(dir, "out"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	var last float64
	out, err := Run(t.Context(), facts(t), Job{Tool: Program(img),
		Args:  []string{"convert", "-p", "--image-opts", "driver=qcow2,file.driver=file,file.locking=off,file.filename=" + InJail("in"), "-O", "raw", InJail("out")},
		Files: []File{{Name: "in", File: in}, {Name: "out", File: to}}, Progress: func(d float64) { last = d }, Limits: Limits{FileSize: 8 << 20}})
	got, rerr := os.ReadFile(to.Name())
	if err != nil || rerr != nil || !bytes.Equal(got, content) || last != 1 {
		t.Errorf("%v, %v: %d bytes, progress %v; refused %v; words %q; said %q", err, rerr, len(got), last, out.Refused, out.Words, out.Bytes)
	}
	t.Logf("uid %d, refused %v, words %q", out.UID, out.Refused, out.Words)
}

// TestThreads: a reader's runtime makes threads after its jail is complete, with flags that differ by architecture.
func TestThreads(t *testing.T) {
	out, err := Run(t.Context(), facts(t), Job{Tool: Reader("threads")})
	if err != nil || string(out.Bytes) != "done" {
		t.Fatalf("%q, %v, %s", out.Bytes, err, out.Words)
	}
	if n := out.Refused["clone"]; n > 0 {
		t.Errorf("%d threads were refused", n)
	}
}
