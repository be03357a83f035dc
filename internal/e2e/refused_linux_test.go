package e2e

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRefusedCallsAreTold: a hypervisor that asks for a call which its policy lacks is refused, goes on, and
// the call is named with its count by show, marked by ps and told by the audit, without strace. When it asks
// without end the counting ends, and that is told. Once its keeper has died nobody counts any more.
func TestRefusedCallsAreTold(t *testing.T) {
	needCells(t)
	l := newLab(t)
	l.cell("odd", `accel = "tcg"
boot = "hello"`)
	l.must(0, "up", "odd")
	refused := func() (r struct {
		PID       int
		Refused   map[string]uint64
		Expected  map[string]uint64 `json:"refused_expected"`
		Uncounted string            `json:"refused_uncounted"`
	}) {
		if err := json.Unmarshal([]byte(l.must(0, "show", "--json", "odd").out), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	now := refused()
	if len(now.Refused) != 0 {
		t.Errorf("before: %v", now.Refused)
	}
	// What any hypervisor asks for is counted, and no reason to look.
	asks(t, now.PID, 3, unix.SYS_MREMAP, 0, 0, 0, unix.MREMAP_MAYMOVE)
	eventually(t, 10*time.Second, "an expected call is counted", func() bool { return refused().Refused["mremap"] == 3 })
	if r := refused(); r.Expected["mremap"] != 3 || len(r.Refused) != 1 {
		t.Errorf("expected: %+v", r)
	}
	if out := l.must(0, "ps").out; strings.Contains(out, "refused") {
		t.Errorf("ps marks an expected call:\n%s", out)
	}
	if out := l.must(0, "show", "odd").out; !strings.Contains(out, "expected refusals") || strings.Contains(out, "refused calls") {
		t.Errorf("show of an expected call:\n%s", out)
	}
	if seen := l.audit(0, "odd"); seen.seen("refused-calls") != "" || seen.seen("expected-refusals") != "mremap (3)" {
		t.Errorf("the audit of an expected call: %q, %q", seen.seen("refused-calls"), seen.seen("expected-refusals"))
	}
	asks(t, now.PID, 2, unix.SYS_GETCWD)
	asks(t, now.PID, 1, unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM)
	eventually(t, 10*time.Second, "both calls are counted", func() bool {
		r := refused().Refused
		return r["getcwd"] == 2 && r["socket"] == 1 && len(r) == 3
	})
	if out := l.must(0, "show", "odd").out; !strings.Contains(out, "getcwd (2), socket (1)") {
		t.Errorf("show:\n%s", out)
	}
	if out := l.must(0, "ps").out; !strings.Contains(out, "3 calls refused") {
		t.Errorf("ps:\n%s", out)
	}
	if seen := l.audit(0, "odd").seen("refused-calls"); !strings.Contains(seen, "getcwd (2)") {
		t.Errorf("audit: %q", seen)
	}
	asks(t, now.PID, 1500, unix.SYS_GETCWD)
	eventually(t, 10*time.Second, "the flood is told", func() bool { return strings.Contains(refused().Uncounted, "too often") })
	if n := refused().Refused["getcwd"]; n < 900 || n > 1400 {
		t.Errorf("%d were counted", n)
	}
	kill(t, l.show("odd").KeeperPID)
	l.must(0, "adopt", "odd")
	asks(t, now.PID, 1, unix.SYS_GETCWD)
	if r := refused(); r.PID != now.PID || r.Refused["socket"] != 1 || r.Uncounted == "" {
		t.Errorf("after its keeper's death: %+v", r)
	}
	l.must(0, "down", "--force", "odd")
	l.nothingLeft()
}

// A hypervisor that ends as it should has asked for nothing that it did not get: a mark that every cell has
// says nothing of any.
func TestNothingRefusedAtTheEnd(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.cell("even", "accel = \"tcg\"")
	for _, end := range []func(){
		func() { l.must(0, "down", "even") },
		func() {
			if r := l.typed("q", "console", "even"); r.code != 0 {
				t.Errorf("%s", r)
			}
			eventually(t, 10*time.Second, "it powers off", func() bool { return l.show("even").State == "stopped" })
		},
	} {
		l.must(0, "up", "even")
		end()
		if out := l.must(0, "ps", "-a").out; strings.Contains(out, "refused") {
			t.Errorf("%s%s", out, l.must(0, "show", "even").out)
		}
	}
	l.nothingLeft()
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// asks has a process make a call some times, as if it had come to that by itself, and wants it refused.
func asks(t *testing.T, pid, times int, number uint64, args ...uint64) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	try := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	stopped := func() {
		t.Helper()
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil || !status.Stopped() {
			t.Fatalf("the process does not stop: %#x %v", status, err)
		}
	}
	var was unix.PtraceRegs
	for round := 0; ; round++ { // until it waits in a call, as it does most of the time
		try("attach", unix.PtraceAttach(pid))
		stopped()
		try("registers", unix.PtraceGetRegs(pid, &was))
		if probe := was; callRegs(&probe, number, args) == nil {
			break
		}
		try("detach", unix.PtraceDetach(pid))
		if round == 100 {
			t.Fatal(errNotInCall)
		}
		time.Sleep(20 * time.Millisecond)
	}
	for range times {
		value, err := injected(pid, was, number, args, stopped)
		try("inject", err)
		if value != -int64(unix.EPERM) && value != -int64(unix.ENOSYS) {
			t.Errorf("call %d gave %d", number, value)
		}
	}
	again(&was)
	try("registers", unix.PtraceSetRegs(pid, &was))
	try("detach", unix.PtraceDetach(pid))
}

// injected makes one call in a process that stopped in another one, as was has it.
func injected(pid int, was unix.PtraceRegs, number uint64, args []uint64, stopped func()) (int64, error) {
	now := was
	if err := callRegs(&now, number, args); err != nil {
		return 0, err
	}
	if err := unix.PtraceSetRegs(pid, &now); err != nil {
		return 0, err
	}
	for range 2 { // in and out
		if err := unix.PtraceSyscall(pid, 0); err != nil {
			return 0, err
		}
		stopped()
	}
	if err := unix.PtraceGetRegs(pid, &now); err != nil {
		return 0, err
	}
	return result64(&now), nil
}

var errNotInCall = fmt.Errorf("it was not stopped in a call")
