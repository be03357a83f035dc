package hypervisor

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"skep/internal/cell"
)

// System is a kind of hypervisor.
type System string

// The hypervisors.
const (
	QEMU  System = "qemu"
	Bhyve System = "bhyve"
)

// EndKind says how a guest's run came to its end.
type EndKind string

// The ends. What was not seen is called that, never guessed.
const (
	EndPowerOff        EndKind = "power-off"        // the guest, by itself or at the power button
	EndReset           EndKind = "reset"            // the guest; it is to go on
	EndTripleFault     EndKind = "triple-fault"     // the guest died
	EndHalt            EndKind = "halt"             // the guest died: every processor stopped for good
	EndPanic           EndKind = "panic"            // the guest died and could say so
	EndInternalError   EndKind = "internal-error"   // the processor's virtualization gave up
	EndHypervisorCrash EndKind = "hypervisor-crash" // the hypervisor died
	EndNotStarted      EndKind = "not-started"      // the hypervisor refused before the guest ran
	EndKilled          EndKind = "killed"           // by us
	EndNotSeen         EndKind = "not-seen"         // over, and nobody saw why
)

// GuestDied: the guest came to grief by its own doing.
func (k EndKind) GuestDied() bool {
	return k == EndTripleFault || k == EndHalt || k == EndPanic
}

// End is what a guest's end means.
type End struct {
	Kind   EndKind `json:"kind"`
	Detail string  `json:"detail"` // for people: what shows it
}

// Exit is how a process ended, from wait(2).
type Exit struct {
	Status int // when Signal is 0
	Signal int
}

// Evidence is what is known of one run of a guest: from its start, or its last
// reset, to its end.
type Evidence struct {
	System System
	Accel  cell.Accel
	// Ran: the guest executed something. Before that, an end of the hypervisor
	// is a failure to start.
	Ran bool
	// Killed: we ended it by force, with a signal or with quit, before the
	// guest ended by itself.
	Killed bool
	Events []Event  // QMP's, in order
	State  RunState // the last that query-status said, "" if it was not asked
	// TripleFault: TripleFaultMark was on standard error.
	TripleFault bool
	Stderr      string // its last words, for people
	// Gone: the process is no more. Exit is nil when somebody else was its
	// parent, so that nobody who could tell saw its status.
	Gone bool
	Exit *Exit
}

// Judge says what an end means. It is false while nothing shown so far is an
// end: the guest is running, or paused for another reason.
func Judge(e Evidence) (End, bool) {
	if e.System == QEMU {
		if end, ok := judgeEvents(e); ok {
			return end, true
		}
		if e.State == StateInternalError {
			return End{EndInternalError, withLastWords("QEMU paused the guest: internal-error", e.Stderr)}, true
		}
	}
	if !e.Gone {
		return End{}, false
	}
	return judgeExit(e), true
}

// judgeEvents looks for the first event that is an end. Others may follow it:
// one reset can be reported twice, and quit comes after a power-off.
func judgeEvents(e Evidence) (End, bool) {
	for _, ev := range e.Events {
		switch {
		case ev.Kind == EventPanicked, ev.Kind == EventShutdown && ev.Reason == ReasonGuestPanic:
			return End{EndPanic, "the guest's kernel reported a panic"}, true
		case ev.Kind != EventShutdown:
		case ev.Reason == ReasonGuestShutdown:
			return End{EndPowerOff, "the guest powered itself off"}, true
		case ev.Reason == ReasonGuestReset:
			return judgeReset(e), true
		case ev.Reason == ReasonHostQuit && e.Killed:
			return End{EndKilled, "QEMU was told to quit"}, true
		case ev.Reason == ReasonHostQuit, ev.Reason == ReasonHostSignal:
			return End{EndKilled, "QEMU was ended from the host: " + ev.Reason}, true
		case ev.Reason == ReasonHostError:
			return End{EndHypervisorCrash, withLastWords("QEMU gave up: "+ev.Reason, e.Stderr)}, true
		}
	}
	return End{}, false
}

// judgeReset: QMP reports a triple fault as a reset.
func judgeReset(e Evidence) End {
	switch {
	case e.TripleFault:
		return End{EndTripleFault, "QEMU logged a triple fault"}
	case e.Accel == cell.AccelKVM:
		return End{EndReset, "the guest reset itself; KVM does not tell a triple fault from a reset"}
	default:
		return End{EndReset, "the guest reset itself"}
	}
}

// bhyveStatus is bhyve's exit status once the guest has run, from bhyve(8).
var bhyveStatus = map[int]End{
	0: {EndReset, "bhyve exited with 0: reset"},
	1: {EndPowerOff, "bhyve exited with 1: powered off"},
	2: {EndHalt, "bhyve exited with 2: halted"},
	3: {EndTripleFault, "bhyve exited with 3: triple fault"},
	4: {EndHypervisorCrash, "bhyve exited with 4: an error"},
}

// judgeExit judges by how the process ended.
func judgeExit(e Evidence) End {
	name := string(e.System)
	switch {
	case e.Exit == nil && e.Killed:
		return End{EndKilled, name + " was ended by force"}
	case e.Exit == nil:
		return End{EndNotSeen, name + " is gone, and its exit status went to another process"}
	case e.Killed:
		// Whatever its status: a kill can meet it at any point of its own exit.
		return End{EndKilled, name + " was ended by force"}
	case e.Exit.Signal != 0:
		return End{EndHypervisorCrash, withLastWords(name+" was killed by "+signalName(e.Exit.Signal), e.Stderr)}
	case !e.Ran:
		// bhyve also exits with 1 for wrong arguments, so no status of one that
		// never ran its guest means anything else.
		return End{EndNotStarted, withLastWords(fmt.Sprintf("%s exited with %d before the guest ran", name, e.Exit.Status), e.Stderr)}
	}
	if e.System == Bhyve {
		if end, ok := bhyveStatus[e.Exit.Status]; ok {
			if end.Kind == EndHypervisorCrash {
				end.Detail = withLastWords(end.Detail, e.Stderr)
			}
			return end
		}
	}
	if e.System == QEMU && e.Exit.Status == 0 {
		return End{EndNotSeen, "qemu exited with 0, and no event that says why was seen"}
	}
	return End{EndHypervisorCrash, withLastWords(fmt.Sprintf("%s exited with %d", name, e.Exit.Status), e.Stderr)}
}

// signalName knows the signals that tell a story, by the numbers that Linux
// and FreeBSD share. The bad-call signal has two: 31 on Linux, 12 on FreeBSD.
func signalName(n int) string {
	names := map[int]string{
		4: "SIGILL: an illegal instruction", 6: "SIGABRT: it gave up by itself", 8: "SIGFPE",
		9: "SIGKILL: by another process, or for want of memory, which jail.limits.memory_overhead bounds", 11: "SIGSEGV: a wild pointer",
		15: "SIGTERM", 24: "SIGXCPU: the limit of processor time", 25: "SIGXFSZ: the limit of file size",
		31: "signal 31 (on Linux SIGSYS: a system call that the filter does not allow)",
	}
	if s, ok := names[n]; ok {
		return s
	}
	return "signal " + strconv.Itoa(n)
}

func withLastWords(detail, stderr string) string {
	if stderr == "" {
		return detail
	}
	return detail + "; its last words: " + Clean(LastOf(stderr, MaxText-utf8.UTFMax))
}
