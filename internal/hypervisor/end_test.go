package hypervisor

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"skep/internal/cell"
)

func TestJudge(t *testing.T) {
	shutdown := func(reason string) Event { return Event{Kind: EventShutdown, Reason: reason} }
	stop, resume := Event{Kind: EventStop}, Event{Kind: EventResume}
	exit := func(status int) *Exit { return &Exit{Status: status} }
	sig := func(n int) *Exit { return &Exit{Signal: n} }
	const none EndKind = ""
	for _, tt := range []struct {
		name string
		e    Evidence
		want EndKind
	}{
		{"running", Evidence{System: QEMU, Ran: true, Events: []Event{resume}, State: StateRunning}, none},
		{"paused by an operator", Evidence{System: QEMU, Ran: true, Events: []Event{stop}, State: StatePaused}, none},
		{"paused by a disk", Evidence{System: QEMU, Ran: true, Events: []Event{{Kind: EventIOError}, stop}, State: StateIOError}, none},
		{"power-off", Evidence{System: QEMU, Ran: true, Events: []Event{resume, shutdown(ReasonGuestShutdown), stop}}, EndPowerOff},
		{"power-off, then our quit", Evidence{System: QEMU, Ran: true, Events: []Event{shutdown(ReasonGuestShutdown), shutdown(ReasonHostQuit)}, Gone: true, Exit: exit(0)}, EndPowerOff},
		{"power-off met by our kill", Evidence{System: QEMU, Ran: true, Killed: true, Events: []Event{shutdown(ReasonGuestShutdown)}, Gone: true, Exit: sig(9)}, EndPowerOff},
		{"reset", Evidence{System: QEMU, Accel: cell.AccelTCG, Ran: true, Events: []Event{shutdown(ReasonGuestReset), stop, shutdown(ReasonGuestReset)}}, EndReset},
		{"triple fault under TCG", Evidence{System: QEMU, Accel: cell.AccelTCG, Ran: true, TripleFault: true, Events: []Event{shutdown(ReasonGuestReset)}}, EndTripleFault},
		{"triple fault under KVM", Evidence{System: QEMU, Accel: cell.AccelKVM, Ran: true, Events: []Event{shutdown(ReasonGuestReset)}}, EndReset},
		{"our own reset", Evidence{System: QEMU, Ran: true, Events: []Event{shutdown(ReasonHostReset)}}, none},
		{"panic", Evidence{System: QEMU, Ran: true, Events: []Event{{Kind: EventPanicked}, stop}}, EndPanic},
		{"panic by shutdown", Evidence{System: QEMU, Ran: true, Events: []Event{shutdown(ReasonGuestPanic)}}, EndPanic},
		{"KVM gives up", Evidence{System: QEMU, Accel: cell.AccelKVM, Ran: true, Events: []Event{stop}, State: StateInternalError}, EndInternalError},
		{"told to quit", Evidence{System: QEMU, Ran: true, Killed: true, Events: []Event{shutdown(ReasonHostQuit)}}, EndKilled},
		{"told to quit by another", Evidence{System: QEMU, Ran: true, Events: []Event{shutdown(ReasonHostQuit)}}, EndKilled},
		{"SIGTERM from the host", Evidence{System: QEMU, Ran: true, Events: []Event{shutdown(ReasonHostSignal)}}, EndKilled},
		{"QEMU's own error", Evidence{System: QEMU, Ran: true, Events: []Event{shutdown(ReasonHostError)}}, EndHypervisorCrash},
		{"an unknown reason", Evidence{System: QEMU, Ran: true, Events: []Event{shutdown("none")}}, none},
		{"killed by us", Evidence{System: QEMU, Ran: true, Killed: true, Gone: true, Exit: sig(9)}, EndKilled},
		{"killed by us, status not seen", Evidence{System: QEMU, Ran: true, Killed: true, Gone: true}, EndKilled},
		{"killed by another", Evidence{System: QEMU, Ran: true, Gone: true, Exit: sig(9)}, EndHypervisorCrash},
		{"segfault", Evidence{System: QEMU, Ran: true, Gone: true, Exit: sig(11)}, EndHypervisorCrash},
		{"gone, status not seen", Evidence{System: QEMU, Ran: true, Gone: true}, EndNotSeen},
		{"exit 0 without a word", Evidence{System: QEMU, Ran: true, Gone: true, Exit: exit(0)}, EndNotSeen},
		{"exit 1 at once", Evidence{System: QEMU, Gone: true, Exit: exit(1), Stderr: "no such option"}, EndNotStarted},
		{"abort at once", Evidence{System: QEMU, Gone: true, Exit: sig(6)}, EndHypervisorCrash},
		{"exit 1 later", Evidence{System: QEMU, Ran: true, Gone: true, Exit: exit(1)}, EndHypervisorCrash},

		{"bhyve lives", Evidence{System: Bhyve, Ran: true}, none},
		{"bhyve reset", Evidence{System: Bhyve, Ran: true, Gone: true, Exit: exit(0)}, EndReset},
		{"bhyve power-off", Evidence{System: Bhyve, Ran: true, Gone: true, Exit: exit(1)}, EndPowerOff},
		{"bhyve wrong arguments", Evidence{System: Bhyve, Gone: true, Exit: exit(1)}, EndNotStarted},
		{"bhyve halt", Evidence{System: Bhyve, Ran: true, Gone: true, Exit: exit(2)}, EndHalt},
		{"bhyve triple fault", Evidence{System: Bhyve, Ran: true, Gone: true, Exit: exit(3)}, EndTripleFault},
		{"bhyve error", Evidence{System: Bhyve, Ran: true, Gone: true, Exit: exit(4)}, EndHypervisorCrash},
		{"bhyve cannot open a disk", Evidence{System: Bhyve, Gone: true, Exit: exit(4)}, EndNotStarted},
		{"bhyve sysexits", Evidence{System: Bhyve, Ran: true, Gone: true, Exit: exit(71)}, EndHypervisorCrash},
		{"bhyve's unknown suspension", Evidence{System: Bhyve, Ran: true, Gone: true, Exit: exit(100)}, EndHypervisorCrash},
		{"bhyve abort", Evidence{System: Bhyve, Ran: true, Gone: true, Exit: sig(6)}, EndHypervisorCrash},
		{"bhyve killed by us", Evidence{System: Bhyve, Ran: true, Killed: true, Gone: true, Exit: sig(9)}, EndKilled},
		{"bhyve not seen", Evidence{System: Bhyve, Ran: true, Gone: true}, EndNotSeen},
	} {
		t.Run(tt.name, func(t *testing.T) {
			end, ok := Judge(tt.e)
			if end.Kind != tt.want || ok != (tt.want != none) {
				t.Errorf("%+v %v, want %q", end, ok, tt.want)
			}
			if ok && end.Detail == "" {
				t.Error("no detail")
			}
		})
	}
}

func TestStderr(t *testing.T) {
	var s Stderr
	fmt.Fprint(&s, "qemu: a wor")
	fmt.Fprint(&s, "ning\nCPU Reset (CPU 0)\nEAX=00000000 EBX=1\nES =0000 0\nXMM00=0 XMM01=0\nR8 =0\n\x1b[31mred\n")
	if s.TripleFault() {
		t.Error("a triple fault was seen that nobody wrote")
	}
	if got, want := s.LastWords(), "qemu: a worning; ?[31mred"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	fmt.Fprint(&s, "Triple ")
	fmt.Fprint(&s, "fault\n")
	if !s.TripleFault() {
		t.Error("a mark in two writes was missed")
	}
	s.Clear()
	fmt.Fprintf(&s, "%s Triple fault\n", strings.Repeat("x", 1<<20))
	if s.TripleFault() {
		t.Error("a mark in the middle of a line was taken")
	}
	for i := range 1000 {
		fmt.Fprintln(&s, "line", i)
	}
	if n := len(s.LastWords()); n > stderrLine*stderrLines {
		t.Errorf("%d bytes are kept", n)
	}
}

// What comes last says why a hypervisor ended: a newer QEMU's complaints about
// its command line come first and must not push that out.
func TestLastWordsAreTheLast(t *testing.T) {
	var s Stderr
	for range 12 {
		fmt.Fprintln(&s, "qemu-system-x86_64: warning: -mon is deprecated, and it will be removed; é, use -object monitor-qmp")
	}
	fmt.Fprintln(&s, "qemu-system-x86_64: could not open the cause")
	end, ok := Judge(Evidence{System: QEMU, Gone: true, Exit: &Exit{Status: 1}, Stderr: s.LastWords()})
	if !ok || !strings.HasSuffix(end.Detail, "could not open the cause") || !strings.Contains(end.Detail, "…") || !utf8.ValidString(end.Detail) {
		t.Errorf("%q", end.Detail)
	}
	if n := len(end.Detail); n > 2*MaxText {
		t.Errorf("%d bytes", n)
	}
	if got := LastOf("short", 10); got != "short" {
		t.Error(got)
	}
}
