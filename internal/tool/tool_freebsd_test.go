package tool

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"skep/internal/probe"
)

// TestMain is also the program that readers are run in.
func TestMain(m *testing.M) {
	ServeIfAsked(Readers{
		"copy": func(in Inside) error { _, err := io.Copy(in.Out, in.Files["in"]); return err },
		"look": look,
		"spin": func(Inside) error {
			for {
				_ = time.Now()
			}
		},
	})
	os.Exit(m.Run())
}

// look tries what a reader that was taken over would try first, and says what came of it.
func look(in Inside) error {
	try := func(what string, err error) { fmt.Fprintf(in.Out, "%s: %v\n", what, err) }
	_, err := os.Open("/etc/passwd")
	try("open", err)
	_, err = net.Dial("tcp", "127.0.0.1:22")
	try("connect", err)
	try("signal", syscall.Kill(1, 0))
	try("user", syscall.Setuid(0))
	fmt.Fprintf(in.Out, "uid: %d\n", os.Getuid())
	return nil
}

func TestReaderInCapabilityMode(t *testing.T) {
	f, err := probe.ForTools(probe.Options{NoCache: true})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, []byte("what a guest wrote"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	job := func(reader string) Job { return Job{Tool: Reader(reader), Files: []File{{Name: "in", File: file}}} }
	out, err := Run(t.Context(), f, job("copy"))
	if err != nil || string(out.Bytes) != "what a guest wrote" {
		t.Fatalf("%q, %v; %s", out.Bytes, err, out.Words)
	}
	out, err = Run(t.Context(), f, job("look"))
	if err != nil {
		t.Fatalf("%v; %s", err, out.Words)
	}
	for _, what := range []string{"open", "connect", "signal"} {
		if strings.Contains(string(out.Bytes), what+": <nil>") {
			t.Errorf("it may %s:\n%s", what, out.Bytes)
		}
	}
	if f.EUID == 0 && (out.UID == 0 || !strings.Contains(string(out.Bytes), fmt.Sprintf("uid: %d\n", out.UID)) || strings.Contains(string(out.Bytes), "user: <nil>")) {
		t.Errorf("it is, or can become, somebody else than %d:\n%s", out.UID, out.Bytes)
	}
	j := job("spin")
	j.Limits = Limits{CPU: time.Second, Wall: 30 * time.Second}
	if _, err := Run(t.Context(), f, j); !errors.Is(err, ErrBound) {
		t.Errorf("a reader that spins: %v", err)
	}
}
