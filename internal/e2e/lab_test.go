package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// lab is a host's worth of directories and uids of one test's own.
type lab struct {
	t       testing.TB
	dir     string
	env     []string
	uidBase int
	uids    int      // how many cells it has room for
	in      *netns   // where its commands run; nil is the host's network
	as      []string // what its commands are run by, in front of skep
	user    int      // who they run as
	program string   // skep itself where it is not the one of all tests
}

// labUIDs is how many cells a lab has room for unless it asks for more.
const labUIDs = 8

var labs atomic.Int32

// newLab makes the directories. They lie below a short path: a socket's name
// holds little more than a hundred bytes, and one test is about just that.
func newLab(t testing.TB) *lab {
	t.Helper()
	return newLabOf(t, labUIDs)
}

// newLabOf is newLab with room for a number of cells.
func newLabOf(t testing.TB, cells int) *lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "skep-lab-")
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, dir: dir, uidBase: labBase(cells), uids: cells}
	l.env = labEnv(dir, l.uidBase, cells)
	t.Cleanup(l.close)
	return l
}

// labBase is a range of twice so many uids, for workers as well, that no other lab has, in this process or
// in another one like it.
func labBase(cells int) int {
	ranges := (cells + labUIDs - 1) / labUIDs
	first := int(labs.Add(int32(ranges))) - ranges
	return 2_101_000_000 + os.Getpid()%20_000*2000 + first%(120-ranges)*2*labUIDs
}

func labEnv(dir string, base, cells int) []string {
	return []string{
		"SKEP_CONFIG_DIR=" + filepath.Join(dir, "config"),
		"SKEP_STATE_DIR=" + filepath.Join(dir, "state"),
		"SKEP_RUN_DIR=" + filepath.Join(dir, "run"),
		"SKEP_UID_BASE=" + strconv.Itoa(base),
		"SKEP_UID_COUNT=" + strconv.Itoa(cells),
	}
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

// cell writes a cell file in the configuration directory.
func (l *lab) cell(name, body string) {
	l.t.Helper()
	l.write("config/cells/"+name+".hcl", "cell \""+name+"\" {\n"+body+"\n}\n")
}

// write writes a file below the lab and returns its path.
func (l *lab) write(name, text string) string {
	l.t.Helper()
	path := l.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// result is how one skep ended.
type result struct {
	code     int // 128 and the signal where a signal ended it
	out, err string
}

func (r result) String() string {
	return fmt.Sprintf("exit %d\n--- standard output\n%s--- standard error\n%s", r.code, r.out, r.err)
}

// limit bounds every command of these tests; an emulated machine on a busy one is slow.
const limit = 5 * time.Minute

// command is skep in this lab, not yet started.
func (l *lab) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, cmp.Or(l.program, skep), args...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), l.env...)
	cmd.WaitDelay = 5 * time.Second
	if len(l.as) > 0 {
		cmd.Args = append(slices.Clone(l.as), cmd.Args...)
		var err error
		if cmd.Path, err = exec.LookPath(l.as[0]); err != nil {
			l.t.Fatal(err)
		}
	}
	return cmd
}

// skep runs one command with nothing on standard input.
func (l *lab) skep(args ...string) result { return l.typed("", args...) }

// typed runs one command with text on standard input.
func (l *lab) typed(stdin string, args ...string) result {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := l.command(ctx, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	l.start(cmd)
	return finished(l.t, ctx, cmd, &out, &errs)
}

// start starts a command where the lab's commands run.
func (l *lab) start(cmd *exec.Cmd) {
	l.t.Helper()
	if l.in != nil {
		l.in.do(cmd.Start)
		return
	}
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
}

func finished(t testing.TB, ctx context.Context, cmd *exec.Cmd, out, errs *bytes.Buffer) result {
	t.Helper()
	err := cmd.Wait()
	if ctx.Err() != nil {
		t.Fatalf("%v did not end within %s\n%s%s", cmd.Args, limit, out.String(), errs.String())
	}
	return result{code(t, err), out.String(), errs.String()}
}

// code is the exit status in an error of exec's.
func code(t testing.TB, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			return 128 + int(ws.Signal())
		}
		return exit.ExitCode()
	}
	t.Fatal(err)
	return -1
}

// must runs one command that is to end with the status.
func (l *lab) must(code int, args ...string) result {
	l.t.Helper()
	r := l.skep(args...)
	if r.code != code {
		l.t.Fatalf("skep %s: exit %d, want %d\n%s", strings.Join(args, " "), r.code, code, r)
	}
	return r
}

// cellState is the part of ps --json and show --json that tests look at.
type cellState struct {
	Name      string
	State     string
	Reason    string
	Suspended string
	PID       int
	KeeperPID int `json:"keeper_pid"`
	UID, GID  int
	Accel     string
	Restarts  int
	Resets    int
	ExitCode  int `json:"exit_code"`
	Ends      time.Time
	Screen    string
	Reach     *struct{ Files, Nodes, Mounts, Syscalls int } `json:"room"`
	Jail      *struct {
		Layers []struct{ ID, Verdict, Detail, By string }
	}
	Plan *struct {
		Resources []struct {
			ID   string
			Spec json.RawMessage
		}
	}
}

// show is skep show --json.
func (l *lab) show(name string) (c cellState) {
	l.t.Helper()
	r := l.must(0, "show", "--json", name)
	if err := json.Unmarshal([]byte(r.out), &c); err != nil {
		l.t.Fatalf("%v\n%s", err, r)
	}
	return c
}

// eventually waits for something that has to come true.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		if ok() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen within %s: %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// try stops a test whose own preparation fails.
func (l *lab) try(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}
