package lifecycle

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
)

//go:embed doc.go
var doc string

// edges are those that the package comment lists.
func edges(t *testing.T) map[string]bool {
	t.Helper()
	_, table, found := strings.Cut(doc, "//\tfrom       event")
	if !found {
		t.Fatal("the package comment has no table of edges")
	}
	all := map[string]bool{}
	for _, line := range strings.Split(table, "\n")[1:] {
		f := strings.Fields(strings.TrimPrefix(line, "//"))
		if len(f) < 3 {
			break
		}
		all[strings.Join(f[:3], " ")] = true
	}
	return all
}

// step is one event, the phase after it and the actions.
type step struct {
	event Event
	phase Phase
	do    string
}

// machine has default policies; each scenario changes some of it.
func machine(change func(*Policy)) State {
	p := Policy{
		Restart:     cell.RestartNever,
		Max:         cell.RestartMax{Starts: 2, Within: time.Minute},
		StopTimeout: 30 * time.Second,
	}
	if change != nil {
		change(&p)
	}
	return New(p)
}

func restart(r cell.Restart) func(*Policy) { return func(p *Policy) { p.Restart = r } }

var (
	noon      = time.Unix(100_000, 0)
	crash     = Ended{End: hypervisor.End{Kind: hypervisor.EndTripleFault, Detail: "triple fault"}}
	off       = Ended{End: hypervisor.End{Kind: hypervisor.EndPowerOff, Detail: "power off"}}
	gone      = Released{At: noon}
	errBroken = errors.New("no bridge")
)

const (
	begins  = "Publish{starting} Acquire"
	runs    = "Publish{running} Announce"
	over    = "StopTimers Release"
	pressed = "Publish{stopping: asked by A} Press{aloud} SetTimer{force 30s} SetTimer{press-again 3s}"
	pause1  = "Publish{crashed: triple fault; starting again in 500ms} SetTimer{pause-over 500ms}"
	pause2  = "Publish{crashed: triple fault; starting again in 1s} SetTimer{pause-over 1s}"
	last    = "StopTimers Finish"
)

// started are the two steps that every scenario with a guest begins with.
var started = []step{{Begin{}, Starting, begins}, {Started{}, Running, runs}}

// scenario is a life, or several.
type scenario struct {
	name   string
	policy func(*Policy)
	steps  []step
	out    Outcome // where it is over
	err    error
}

func scenarios() []scenario {
	return slices.Concat(goodEnds(), starts(), stops(), resets(), restarts(), disks(), commands(), breakIns(), suspensions(), limits())
}

func goodEnds() []scenario {
	return []scenario{
		{"powers off by itself", nil, append(started[:2:2], step{off, Releasing, over}, step{gone, Stopped, last}),
			Outcome{End: off.End, State: Stopped, Code: fault.OK, Reason: "power off"}, nil},
		{"dies", nil, append(started[:2:2], step{crash, Releasing, over}, step{gone, Stopped, last}),
			Outcome{End: crash.End, State: Crashed, Code: fault.GuestDied, Reason: "triple fault"}, nil},
		{
			"the hypervisor dies",
			nil,
			append(
				started[:2:2],
				step{Ended{End: end(hypervisor.EndHypervisorCrash)}, Releasing, over},
				step{gone, Stopped, last},
			),
			Outcome{
				End:    end(hypervisor.EndHypervisorCrash),
				State:  Crashed,
				Code:   fault.HypervisorDied,
				Reason: "d",
			},
			nil,
		},
		{
			"adopted",
			nil,
			[]step{
				{Adopt{}, Starting, "Readopt"},
				{Started{Adopted: true}, Running, "Publish{running: adopted after its keeper had died} Announce"},
				{
					off,
					Releasing,
					over,
				},
				{gone, Stopped, last},
			},
			Outcome{End: off.End, State: Stopped, Reason: "power off"},
			nil,
		},
		{
			"cannot be adopted",
			nil,
			[]step{
				{Adopt{}, Starting, "Readopt"},
				{StartFailed{Err: errBroken}, Releasing, "Release"},
				{gone, Stopped, last},
			},
			Outcome{State: Stopped, Code: fault.Host, Reason: "no bridge"},
			errBroken,
		},
		{
			"KVM gives up and is trusted",
			func(p *Policy) { p.KVMTrusted, p.MayEmulate = true, true },
			append(
				started[:2:2],
				step{
					Ended{End: end(hypervisor.EndInternalError), Untouched: true},
					Releasing,
					over,
				},
				step{gone, Stopped, last},
			),
			Outcome{
				End:    end(hypervisor.EndInternalError),
				State:  Crashed,
				Code:   fault.GuestDied,
				Reason: "d; KVM runs the built-in guest, so this is what the guest did",
			},
			nil,
		},
		{"KVM gives up after a disk was written", func(p *Policy) { p.MayEmulate = true }, append(started[:2:2],
			step{Ended{End: end(hypervisor.EndInternalError)}, Releasing, over}, step{gone, Stopped, last}),
			Outcome{
				End:    end(hypervisor.EndInternalError),
				State:  Crashed,
				Code:   fault.HypervisorDied,
				Reason: "d",
			}, nil},
		{"KVM gives up before", func(p *Policy) { p.MayEmulate = true }, append(
			started[:2:2],
			step{
				Ended{End: end(hypervisor.EndInternalError), Untouched: true},
				Releasing,
				over,
			},
			step{gone, Starting, "Emulate " + begins},
			step{
				Started{},
				Running,
				"Publish{running: KVM failed on this guest; it was started again with TCG (emulation)} Announce",
			},
			step{
				Ended{End: end(hypervisor.EndInternalError), Untouched: true},
				Releasing,
				over,
			},
			step{gone, Stopped, last},
		),
			Outcome{
				End:    end(hypervisor.EndInternalError),
				State:  Crashed,
				Code:   fault.HypervisorDied,
				Reason: "d",
			}, nil},
	}
}

// breakIns: a cell whose guest somebody broke out of is not started again, whatever its policy.
func breakIns() []scenario {
	found := Released{At: noon, Found: "a VM that no plan names"}
	held := step{found, Held, "Notify{break-in: a VM that no plan names} " + last}
	return []scenario{
		{"broken into", restart(cell.RestartAlways), append(started[:2:2], step{crash, Releasing, over}, held),
			Outcome{
				End: crash.End, State: Held, Code: fault.Jail,
				Reason: "break-in: a VM that no plan names; triple fault",
			}, nil},
		{"broken into while it was loaded", func(p *Policy) { p.Boot = true }, []step{{Begin{}, Starting, begins},
			{StartFailed{Err: errBroken}, Releasing, "Release"}, held},
			Outcome{State: Held, Code: fault.Jail, Reason: "break-in: a VM that no plan names; no bridge"}, errBroken},
	}
}

func end(k hypervisor.EndKind) hypervisor.End { return hypervisor.End{Kind: k, Detail: "d"} }

func starts() []scenario {
	fails := []step{{Begin{}, Starting, begins}, {StartFailed{Err: errBroken}, Releasing, "Release"}}
	stopped := Outcome{State: Stopped, Code: fault.Host, Reason: "no bridge"}
	return []scenario{
		{"cannot start", restart(cell.RestartAlways), append(fails[:2:2], step{gone, Stopped, last}), stopped, errBroken},
		{
			"cannot start at boot, on a terminal",
			func(p *Policy) { p.Boot, p.Foreground = true, true },
			append(fails[:2:2], step{gone, Stopped, last}),
			stopped,
			errBroken,
		},
		{"cannot start at boot, for good", func(p *Policy) { p.Boot = true }, []step{fails[0],
			{StartFailed{Err: errBroken, Final: true}, Releasing, "Release"}, {gone, Stopped, last}}, stopped, errBroken},
		{"cannot start at boot, and does later", func(p *Policy) { p.Boot = true }, append(
			fails[:2:2],
			step{
				gone,
				Crashed,
				"Report{no bridge 500ms} Publish{crashed: no bridge; starting again in 500ms} SetTimer{pause-over 500ms}",
			},
			step{
				Fired{TimerPause},
				Starting,
				begins,
			},
			step{Started{}, Running, runs},
			step{off, Releasing, over},
			step{gone, Stopped, last},
		),
			Outcome{End: off.End, State: Stopped, Reason: "power off"}, nil},
		{"cannot start at boot, three times", func(p *Policy) { p.Boot = true }, append(
			fails[:2:2],
			step{
				gone,
				Crashed,
				"Report{no bridge 500ms} Publish{crashed: no bridge; starting again in 500ms} SetTimer{pause-over 500ms}",
			},
			step{Fired{TimerPause}, Starting, begins},
			step{StartFailed{Err: errBroken}, Releasing, "Release"},
			step{
				gone,
				Crashed,
				"Report{no bridge 1s} Publish{crashed: no bridge; starting again in 1s} SetTimer{pause-over 1s}",
			},
			step{
				Fired{TimerPause},
				Starting,
				begins,
			},
			step{StartFailed{Err: errBroken}, Releasing, "Release"},
			step{gone, Held, last},
		),
			Outcome{
				State:  Held,
				Code:   fault.Host,
				Reason: "held: ended 3 times within 1m0s, the last time: no bridge",
			}, nil},
		{
			"restart fails",
			restart(cell.RestartOnCrash),
			slices.Concat(started, []step{{crash, Releasing, over}, {gone, Crashed, pause1},
				{Fired{TimerPause}, Starting, begins}, {StartFailed{Err: errBroken}, Releasing, "Release"},
				{
					gone,
					Crashed,
					"Report{no bridge 1s} Publish{crashed: no bridge; starting again in 1s} SetTimer{pause-over 1s}",
				},
				{Cancelled{}, Stopped, last}}),
			Outcome{
				State:  Stopped,
				Code:   fault.Stopped,
				Reason: "stopped while waiting to be restarted after: no bridge",
			},
			nil,
		},
		{
			"stopped while starting",
			restart(cell.RestartAlways),
			[]step{
				{Begin{}, Starting, begins},
				{StopAsked{"A"}, Starting, "Answer"},
				{StopAsked{"B"}, Starting, "Answer"},
				{
					Asked{},
					Starting,
					"Answer{it is still starting}",
				},
				{GivenUp{}, Releasing, "Release"},
				{gone, Stopped, last},
			},
			Outcome{State: Stopped, Code: fault.Stopped, Reason: "stopped by A while starting"},
			nil,
		},
		{
			"killed while starting, and that fails",
			func(p *Policy) { p.Boot = true },
			[]step{{Begin{}, Starting, begins}, {KillAsked{"A"}, Starting, "Answer"},
				{StartFailed{Err: errBroken}, Releasing, "Release"}, {gone, Stopped, last}},
			stopped,
			errBroken,
		},
		{
			"stopped in the last moment of the start",
			nil,
			[]step{{Begin{}, Starting, begins}, {StopAsked{"A"}, Starting, "Answer"},
				{Started{}, Stopping, runs + " " + pressed}, {off, Releasing, over}, {gone, Stopped, last}},
			Outcome{
				End:    off.End,
				State:  Stopped,
				Code:   fault.Stopped,
				Reason: "the guest powered off, asked by A",
			},
			nil,
		},
	}
}

func stops() []scenario {
	killed := hypervisor.End{Kind: hypervisor.EndKilled, Detail: "d"}
	return []scenario{
		{
			"stopped",
			restart(cell.RestartAlways),
			append(
				started[:2:2],
				step{StopAsked{"A"}, Stopping, pressed + " Answer"},
				step{StopAsked{"B"}, Stopping, "Answer"},
				step{
					Fired{TimerPress},
					Stopping,
					"Press SetTimer{press-again 3s}",
				},
				step{off, Releasing, over},
				step{gone, Stopped, last},
			),
			Outcome{
				End:    off.End,
				State:  Stopped,
				Code:   fault.Stopped,
				Reason: "the guest powered off, asked by A",
			},
			nil,
		},
		{
			"does not obey",
			nil,
			append(
				started[:2:2],
				step{StopAsked{"A"}, Stopping, pressed + " Answer"},
				step{Fired{TimerForce}, Stopping, "Kill"},
				step{Ended{End: end(hypervisor.EndHypervisorCrash)}, Releasing, over},
				step{gone, Stopped, last},
			),
			Outcome{
				End:    killed,
				State:  Stopped,
				Code:   fault.Stopped,
				Reason: "the guest did not power off within 30s",
			},
			nil,
		},
		{"dies of the power button", nil, append(
			started[:2:2],
			step{StopAsked{"A"}, Stopping, pressed + " Answer"},
			step{
				Ended{End: killed},
				Releasing,
				over,
			},
			step{gone, Stopped, last},
		), Outcome{End: killed, State: Stopped, Code: fault.Stopped, Reason: "d"}, nil},
		{
			"killed",
			restart(cell.RestartAlways),
			append(
				started[:2:2],
				step{KillAsked{"A"}, Stopping, "Publish{stopping: killed by A} Kill Answer"},
				step{
					StopAsked{"B"},
					Stopping,
					"Answer",
				},
				step{Ended{End: killed}, Releasing, over},
				step{gone, Stopped, last},
			),
			Outcome{End: killed, State: Stopped, Code: fault.Stopped, Reason: "killed by A"},
			nil,
		},
		{"stopped, then killed", nil, append(
			started[:2:2],
			step{StopAsked{"A"}, Stopping, pressed + " Answer"},
			step{
				KillAsked{"B"},
				Stopping,
				"Publish{stopping: killed by B} Kill Answer",
			},
			step{Ended{End: killed}, Releasing, over},
			step{gone, Stopped, last},
		),
			Outcome{End: killed, State: Stopped, Code: fault.Stopped, Reason: "killed by B"}, nil},
		{
			"the keeper is to end",
			restart(cell.RestartAlways),
			append(
				started[:2:2],
				step{Cancelled{}, Stopping, "Kill"},
				step{Ended{End: killed}, Releasing, over},
				step{gone, Stopped, last},
			),
			Outcome{End: killed, State: Stopped, Code: fault.Stopped, Reason: "the keeper was asked to end"},
			nil,
		},
		{
			"the keeper is to end while it stops",
			nil,
			append(
				started[:2:2],
				step{StopAsked{"A"}, Stopping, pressed + " Answer"},
				step{Cancelled{}, Stopping, "Kill"},
				step{
					Ended{End: killed},
					Releasing,
					over,
				},
				step{gone, Stopped, last},
			),
			Outcome{End: killed, State: Stopped, Code: fault.Stopped, Reason: "the keeper was asked to end"},
			nil,
		},
	}
}

func resets() []scenario {
	reset := GuestReset{At: noon}
	twice := slices.Concat(
		started,
		[]step{
			{reset, Resetting, "Reset"},
			{ResetDone{}, Running, "Publish{running}"},
			{reset, Resetting, "Reset"},
			{ResetDone{}, Running, "Publish{running}"},
		},
	)
	tooOften := Outcome{
		End:    hypervisor.End{Kind: hypervisor.EndReset},
		State:  Held,
		Code:   fault.GuestDied,
		Reason: "held: the guest reset itself more than 2 times within 1m0s",
	}
	const drain = "StopTimers Kill SetTimer{drained 10s}"
	return []scenario{
		{
			"resets too often",
			restart(cell.RestartAlways),
			append(
				twice[:6:6],
				step{reset, Stopping, drain},
				step{reset, Stopping, ""},
				step{StopAsked{"A"}, Stopping, "Answer"},
				step{Ended{End: end(hypervisor.EndKilled)}, Releasing, over},
				step{gone, Held, last},
			),
			tooOften,
			nil,
		},
		{
			"and is not seen to end",
			nil,
			append(
				twice[:6:6],
				step{reset, Stopping, drain},
				step{Fired{TimerDrain}, Releasing, over},
				step{gone, Held, last},
			),
			tooOften,
			nil,
		},
		{
			"resets too often while it is stopped",
			nil,
			append(twice[:6:6], step{StopAsked{"A"}, Stopping, pressed + " Answer"}, step{reset, Stopping, drain},
				step{off, Releasing, over}, step{gone, Held, last}),
			tooOften,
			nil,
		},
		{
			"resets while it is stopped",
			nil,
			slices.Concat(started, []step{{StopAsked{"A"}, Stopping, pressed + " Answer"}, {reset, Resetting, "Reset"},
				{
					ResetDone{},
					Stopping,
					"Publish{stopping: asked by A}",
				}, {off, Releasing, over}, {gone, Stopped, last}}),
			Outcome{
				End:    off.End,
				State:  Stopped,
				Code:   fault.Stopped,
				Reason: "the guest powered off, asked by A",
			},
			nil,
		},
		{
			"is stopped while it starts over",
			nil,
			slices.Concat(started, []step{{reset, Resetting, "Reset"}, {StopAsked{"A"}, Resetting, "Answer"},
				{ResetDone{}, Stopping, "Publish{running} " + pressed}, {off, Releasing, over}, {gone, Stopped, last}}),
			Outcome{
				End:    off.End,
				State:  Stopped,
				Code:   fault.Stopped,
				Reason: "the guest powered off, asked by A",
			},
			nil,
		},
		{
			"is killed while it starts over",
			nil,
			slices.Concat(started, []step{{reset, Resetting, "Reset"}, {KillAsked{"A"}, Resetting, "Answer"},
				{
					ResetDone{},
					Stopping,
					"Publish{running} Publish{stopping: killed by A} Kill",
				}, {Ended{End: end(hypervisor.EndHypervisorCrash)}, Releasing, over}, {gone, Stopped, last}}),
			Outcome{End: end(hypervisor.EndKilled), State: Stopped, Code: fault.Stopped, Reason: "killed by A"},
			nil,
		},
		{
			"cannot be started over",
			nil,
			slices.Concat(
				started,
				[]step{{reset, Resetting, "Reset"}, {ResetFailed{errBroken}, Stopping, "SetTimer{force 1s}"},
					{
						Fired{TimerForce},
						Stopping,
						"Kill",
					}, {Ended{End: end(hypervisor.EndHypervisorCrash)}, Releasing, over}, {gone, Stopped, last}},
			),
			Outcome{
				End:    end(hypervisor.EndHypervisorCrash),
				State:  Crashed,
				Code:   fault.HypervisorDied,
				Reason: "the guest's reset failed: no bridge; d",
			},
			nil,
		},
	}
}

func restarts() []scenario {
	again := slices.Concat(started, []step{{crash, Releasing, over}, {gone, Crashed, pause1}})
	waited := Outcome{
		End:    crash.End,
		State:  Stopped,
		Code:   fault.Stopped,
		Reason: "stopped while waiting to be restarted after: triple fault",
	}
	return []scenario{
		{
			"crashes too often",
			restart(cell.RestartOnCrash),
			slices.Concat(
				again,
				[]step{{Fired{TimerPause}, Starting, begins}, {Started{}, Running, runs}, {crash, Releasing, over},
					{
						gone,
						Crashed,
						pause2,
					}, {Fired{TimerPause}, Starting, begins}, {Started{}, Running, runs}, {crash, Releasing, over}, {gone, Held, last}},
			),
			Outcome{
				End:    crash.End,
				State:  Held,
				Code:   fault.GuestDied,
				Reason: "held: ended 3 times within 1m0s, the last time: triple fault",
			},
			nil,
		},
		{
			"on-crash and powers off",
			restart(cell.RestartOnCrash),
			slices.Concat(started, []step{{off, Releasing, over}, {gone, Stopped, last}}),
			Outcome{End: off.End, State: Stopped, Reason: "power off"},
			nil,
		},
		{"always and powers off", restart(cell.RestartAlways), slices.Concat(started, []step{{off, Releasing, over},
			{
				gone,
				Crashed,
				"Publish{crashed: power off; starting again in 500ms} SetTimer{pause-over 500ms}",
			}, {KillAsked{"A"}, Stopped, "Answer " + last}}),
			Outcome{
				End:    off.End,
				State:  Stopped,
				Code:   fault.Stopped,
				Reason: "stopped while waiting to be restarted after: power off",
			}, nil},
		{
			"on a terminal",
			func(p *Policy) { p.Restart, p.Foreground = cell.RestartAlways, true },
			slices.Concat(started, []step{{crash, Releasing, over}, {gone, Stopped, last}}),
			Outcome{End: crash.End, State: Crashed, Code: fault.GuestDied, Reason: "triple fault"},
			nil,
		},
		{
			"stopped in the pause",
			restart(cell.RestartOnCrash),
			append(
				again[:4:4],
				step{Asked{}, Crashed, "Answer{it is not running}"},
				step{StopAsked{"A"}, Stopped, "Answer " + last},
			),
			waited,
			nil,
		},
		{
			"the keeper is to end in the pause",
			restart(cell.RestartOnCrash),
			append(again[:4:4], step{Cancelled{}, Stopped, last}),
			waited,
			nil,
		},
		{
			"stopped while it is released",
			restart(cell.RestartOnCrash),
			append(
				again[:3:3],
				step{Asked{}, Releasing, "Answer{it is not running}"},
				step{
					StopAsked{"A"},
					Releasing,
					"Answer",
				},
				step{KillAsked{"B"}, Releasing, "Answer"},
				step{gone, Stopped, last},
			),
			waited,
			nil,
		},
		{
			"killed while it is released",
			restart(cell.RestartNever),
			append(again[:3:3], step{KillAsked{"A"}, Releasing, "Answer"}, step{gone, Stopped, last}),
			Outcome{End: crash.End, State: Crashed, Code: fault.GuestDied, Reason: "triple fault"},
			nil,
		},
	}
}

// disks are lives in which the host cannot write a disk.
func disks() []scenario {
	const (
		paused   = "StopTimer{calm} SetTimer{retry 2s} Publish{paused: full} Notify{the guest is paused: full; it goes on by itself once that is over}"
		goesOn   = "Notify{the guest goes on}"
		unpaused = "Publish{running} " + goesOn
	)
	full, reset := DiskFailed{Reason: "full", Stopped: true}, GuestReset{At: noon}
	pauses := append(started[:2:2], step{full, Paused, paused})
	powered := Outcome{End: off.End, State: Stopped, Code: fault.Stopped, Reason: "the guest powered off, asked by A"}
	killed := Outcome{End: hypervisor.End{Kind: hypervisor.EndKilled, Detail: "d"}, State: Stopped, Code: fault.Stopped}
	why := func(reason string) Outcome { o := killed; o.Reason = reason; return o }
	dies := []step{{Ended{End: end(hypervisor.EndKilled)}, Releasing, over}, {gone, Stopped, last}}
	return []scenario{
		{"is told", nil, slices.Concat(started, []step{
			{
				DiskFailed{Reason: "bad"},
				Running,
				"Publish{running: bad; the guest was told} Notify{bad; the guest was told}",
			}, {off, Releasing, over}, {gone, Stopped, last}}),
			Outcome{End: off.End, State: Stopped, Reason: "power off"}, nil},
		{
			"goes on",
			nil,
			slices.Concat(
				pauses,
				[]step{{Asked{}, Paused, "Answer"}, {full, Paused, "StopTimer{calm} SetTimer{retry 2s}"},
					{
						Fired{TimerRetry},
						Paused,
						"Resume",
					}, {ResumeFailed{}, Paused, "SetTimer{retry 2s}"}, {Fired{TimerRetry}, Paused, "Resume"},
					{
						Resumed{},
						Paused,
						"SetTimer{calm 1s}",
					}, {Fired{TimerCalm}, Running, unpaused}, {off, Releasing, over}, {gone, Stopped, last}},
			),
			Outcome{End: off.End, State: Stopped, Reason: "power off"},
			nil,
		},
		{"stands still for somebody", nil, slices.Concat(started, []step{
			{PauseAsked{"copy", 1}, Paused, "Publish{paused: by copy} Pause"},
			{PauseAsked{"copy", 2}, Paused, "Publish{paused: by copy} Pause"},
			{PauseDone{2}, Paused, "Publish{paused: by copy} Answer"},
			{PauseDone{9}, Paused, "Answer{it is not running}"},
			{PauseDone{1}, Running, "Publish{running} Unpause"},
			{PauseAsked{"copy", 3}, Paused, "Publish{paused: by copy} Pause"},
			{PauseFailed{3}, Running, "Publish{running}"},
			{PauseAsked{"copy", 4}, Paused, "Publish{paused: by copy} Pause"},
			{full, Paused, paused},
			{Fired{TimerRetry}, Paused, "SetTimer{retry 2s}"},
			{PauseDone{4}, Paused, "Publish{paused: full} Unpause"},
			{Fired{TimerRetry}, Paused, "Resume"},
			{Resumed{}, Paused, "SetTimer{calm 1s}"},
			{Fired{TimerCalm}, Running, unpaused},
			{PauseAsked{"copy", 5}, Paused, "Publish{paused: by copy} Pause"},
			{StopAsked{"A"}, Stopping, pressed + " Answer"},
			{PauseAsked{"copy", 6}, Stopping, "Answer{it is not running}"},
			{PauseDone{5}, Stopping, "Unpause"},
			{off, Releasing, over}, {gone, Stopped, last}}), powered, nil},
		{"is stopped while paused", nil, slices.Concat(pauses, []step{
			{
				StopAsked{"A"},
				Stopping,
				"Publish{stopping: asked by A; the guest is paused: full} Press{aloud} SetTimer{force 30s} SetTimer{press-again 3s} Answer",
			},
			{
				Fired{TimerRetry},
				Stopping,
				"Resume",
			}, {ResumeFailed{}, Stopping, "SetTimer{retry 2s}"}, {Fired{TimerRetry}, Stopping, "Resume"}, {Resumed{}, Stopping, "SetTimer{calm 1s}"},
			{
				Fired{TimerCalm},
				Stopping,
				"Publish{stopping: asked by A} " + goesOn,
			}, {off, Releasing, over}, {gone, Stopped, last}}), powered, nil},
		{
			"is paused while it stops, and for good",
			nil,
			slices.Concat(started, []step{{StopAsked{"A"}, Stopping, pressed + " Answer"},
				{
					full,
					Stopping,
					"StopTimer{calm} SetTimer{retry 2s} Publish{stopping: asked by A; the guest is paused: full} " + paused[len(paused)-len("Notify{the guest is paused: full; it goes on by itself once that is over}"):],
				},
				{
					Fired{TimerForce},
					Stopping,
					"Kill",
				}}, dies),
			why("the guest did not power off within 30s; it was paused: full"),
			nil,
		},
		{
			"is killed while paused",
			nil,
			slices.Concat(
				pauses,
				[]step{{KillAsked{"A"}, Stopping, "Publish{stopping: killed by A} Kill Answer"}},
				dies,
			),
			why("killed by A"),
			nil,
		},
		{
			"the keeper is to end while it is paused",
			nil,
			slices.Concat(pauses, []step{{Cancelled{}, Stopping, "Kill"}}, dies),
			why("the keeper was asked to end"),
			nil,
		},
		{"ends while paused", nil, slices.Concat(pauses, []step{{crash, Releasing, over}, {gone, Stopped, last}}),
			Outcome{End: crash.End, State: Crashed, Code: fault.GuestDied, Reason: "triple fault"}, nil},
		{
			"resets while paused, once too often",
			nil,
			slices.Concat(pauses, []step{{reset, Resetting, "Reset"}, {ResetDone{}, Paused, "Publish{paused: full}"},
				{
					reset,
					Resetting,
					"Reset",
				}, {ResetDone{}, Paused, "Publish{paused: full}"}, {reset, Stopping, "StopTimers Kill SetTimer{drained 10s}"},
				{Ended{End: end(hypervisor.EndKilled)}, Releasing, over}, {gone, Held, last}}),
			Outcome{
				End:    hypervisor.End{Kind: hypervisor.EndReset},
				State:  Held,
				Code:   fault.GuestDied,
				Reason: "held: the guest reset itself more than 2 times within 1m0s",
			},
			nil,
		},
	}
}

func commands() []scenario {
	return []scenario{
		{
			"asked for pictures",
			nil,
			slices.Concat(
				started,
				[]step{{Asked{Screenshot: true}, Running, "Screenshot"}, {Asked{}, Running, "Answer"},
					{
						StopAsked{"A"},
						Stopping,
						pressed + " Answer",
					}, {Asked{Screenshot: true}, Stopping, "Screenshot"}, {off, Releasing, over}, {gone, Stopped, last},
					{
						Asked{},
						Stopped,
						"Answer{it is not running}",
					}, {StopAsked{"A"}, Stopped, "Answer"}, {Begin{}, Stopped, ""}},
			),
			Outcome{
				End:    off.End,
				State:  Stopped,
				Code:   fault.Stopped,
				Reason: "the guest powered off, asked by A",
			},
			nil,
		},
	}
}

// suspensions are lives in which the guest is paused until it is asked to go on.
func suspensions() []scenario {
	const by = "Publish{paused: by skep pause}"
	suspend, resume := PauseAsked{"skep pause", ByCommand}, PauseDone{ByCommand}
	full := DiskFailed{Reason: "full", Stopped: true}
	powered := Outcome{End: off.End, State: Stopped, Code: fault.Stopped, Reason: "the guest powered off, asked by A"}
	killed := hypervisor.End{Kind: hypervisor.EndKilled, Detail: "d"}
	press := "Publish{stopping: asked by A} GoOn" + strings.TrimPrefix(pressed, "Publish{stopping: asked by A}") + " Answer"
	stops := []step{{off, Releasing, over}, {gone, Stopped, last}}
	return []scenario{
		{"suspended and resumed", nil, slices.Concat(started, []step{
			{resume, Running, "Answer"},
			{suspend, Paused, by + " Pause"},
			{suspend, Paused, "Answer"},
			{PauseAsked{"copy", 1}, Paused, by + " Pause"},
			{PauseDone{1}, Paused, by + " Answer"},
			{resume, Running, "Publish{running} Unpause"},
			{PauseAsked{"copy", 2}, Paused, "Publish{paused: by copy} Pause"},
			{resume, Paused, "Answer{" + ErrOtherPause.Error() + "}"},
			{suspend, Paused, by + " Pause"},
			{resume, Paused, "Publish{paused: by copy} Answer"},
			{suspend, Paused, by + " Pause"},
			{PauseDone{2}, Paused, by + " Answer"},
			{StopAsked{"A"}, Stopping, press},
			{suspend, Stopping, "Answer{it is not running}"},
			{resume, Stopping, "Answer{it is not running}"},
		}, stops), powered, nil},
		{"suspended while its disk fails", nil, slices.Concat(started, []step{
			{full, Paused, "StopTimer{calm} SetTimer{retry 2s} Publish{paused: full} " +
				"Notify{the guest is paused: full; it goes on by itself once that is over}"},
			{resume, Paused, "Answer{" + ErrOtherPause.Error() + "}"},
			{suspend, Paused, "Publish{paused: full} Pause"},
			{Fired{TimerRetry}, Paused, "SetTimer{retry 2s}"},
			{resume, Paused, "Publish{paused: full} Unpause"},
			{KillAsked{"A"}, Stopping, "Publish{stopping: killed by A} Kill Answer"},
			{Ended{End: killed}, Releasing, over}, {gone, Stopped, last}}),
			Outcome{End: killed, State: Stopped, Code: fault.Stopped, Reason: "killed by A"}, nil},
		{"stopped while suspended and copied", nil, slices.Concat(started, []step{
			{suspend, Paused, by + " Pause"},
			{PauseAsked{"copy", 1}, Paused, by + " Pause"},
			{StopAsked{"A"}, Stopping, pressed + " Answer"},
			{PauseDone{1}, Stopping, "Unpause"},
		}, stops), powered, nil},
		{"suspended, and its keeper died", nil, slices.Concat([]step{
			{Adopt{}, Starting, "Readopt"},
			{Started{Adopted: true, Suspended: "skep pause"}, Paused, by + " Announce"},
			{resume, Running, "Publish{running: adopted after its keeper had died} Unpause"},
			{StopAsked{"A"}, Stopping, pressed + " Answer"},
		}, stops), powered, nil},
	}
}

// A guest is said to be suspended while it is, and not once it is being stopped.
func TestSuspendedBy(t *testing.T) {
	s := machine(nil)
	for _, st := range []struct {
		event Event
		by    string
	}{
		{Begin{}, ""}, {Started{}, ""}, {PauseAsked{"copy", 1}, ""}, {PauseAsked{"skep pause", ByCommand}, "skep pause"},
		{DiskFailed{Reason: "full", Stopped: true}, "skep pause"}, {PauseDone{1}, "skep pause"}, {StopAsked{"A"}, ""},
	} {
		if s, _ = Next(s, st.event); s.SuspendedBy() != st.by {
			t.Errorf("after %T it is suspended by %q, not %q", st.event, s.SuspendedBy(), st.by)
		}
	}
}

// TestEveryEdge walks every scenario, and sees that together they visit the edges that the package
// comment draws and no others.
func TestEveryEdge(t *testing.T) {
	drawn, visited := edges(t), map[string]bool{}
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			s := machine(sc.policy)
			for i, st := range sc.steps {
				from, was := s.Phase, s
				var do []Action
				s, do = Next(s, st.event)
				edge := fmt.Sprintf("%s %s %s", from, st.event.event(), s.Phase)
				if !was.Over() && st.do != "" {
					visited[edge] = true
				}
				if s.Phase != st.phase || said(do) != st.do {
					t.Fatalf(
						"step %d, %s:\n got phase %s and %q\nwant phase %s and %q",
						i+1,
						edge,
						s.Phase,
						said(do),
						st.phase,
						st.do,
					)
				}
			}
			if !s.Over() || s.Out != sc.out || !errors.Is(s.Err, sc.err) {
				t.Errorf("over %v\n got %+v (%v)\nwant %+v (%v)", s.Over(), s.Out, s.Err, sc.out, sc.err)
			}
		})
	}
	for _, e := range slices.Sorted(maps.Keys(drawn)) {
		if !visited[e] {
			t.Errorf("doc.go draws the edge %q, and no scenario visits it", e)
		}
	}
	for _, e := range slices.Sorted(maps.Keys(visited)) {
		if !drawn[e] {
			t.Errorf("the machine has the edge %q, and doc.go does not draw it", e)
		}
	}
}

// said is a list of actions as the scenarios write it.
func said(actions []Action) string {
	var all []string
	for _, a := range actions {
		s := strings.TrimPrefix(fmt.Sprintf("%T", a), "lifecycle.")
		switch a := a.(type) {
		case Publish:
			s += "{" + strings.TrimSuffix(fmt.Sprintf("%s: %s", a.Phase, a.Reason), ": ") + "}"
		case StopTimer:
			s += "{" + string(a.Timer) + "}"
		case Notify:
			s += "{" + a.Line + "}"
		case SetTimer:
			s += fmt.Sprintf("{%s %s}", a.Timer, a.After)
		case Press:
			if a.Aloud {
				s += "{aloud}"
			}
		case Answer:
			if a.Err != nil {
				s += "{" + a.Err.Error() + "}"
			}
		case Report:
			s += fmt.Sprintf("{%v %s}", a.Err, a.Pause)
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

// Whatever happens in whatever state, a command is answered once, and nothing follows a finish.
func TestCommandsAreAnswered(t *testing.T) {
	all := []Event{
		Begin{},
		Adopt{},
		Started{},
		GivenUp{},
		StartFailed{Err: errBroken},
		StopAsked{"A"},
		KillAsked{"A"},
		Asked{},
		Asked{Screenshot: true},
		Cancelled{},
		GuestReset{
			At: noon,
		},
		ResetDone{},
		ResetFailed{errBroken},
		crash,
		off,
		gone,
		Fired{TimerPause},
		Fired{TimerPress},
		Fired{TimerForce},
		Fired{TimerDrain},
		Fired{TimerLimit},
		PauseAsked{"A", 1},
		PauseDone{1},
	}
	for _, sc := range scenarios() {
		s := machine(sc.policy)
		for i := range len(sc.steps) + 1 {
			for _, e := range all {
				answers, finished := 0, 0
				_, do := Next(s, e)
				for _, a := range do {
					switch a.(type) {
					case Answer, Screenshot, Pause, Unpause:
						answers++
					case Finish:
						finished++
					}
				}
				want := 0
				switch e.(type) {
				case StopAsked, KillAsked, Asked, PauseAsked, PauseDone:
					want = 1
				}
				if answers != want {
					t.Errorf("%s, step %d: %s in %s is answered %d times", sc.name, i, e.event(), s.Phase, answers)
				}
				if s.Over() && len(do) > answers || finished > 1 {
					t.Errorf("%s, step %d: %s after the end does %s", sc.name, i, e.event(), said(do))
				}
			}
			if i < len(sc.steps) {
				s, _ = Next(s, sc.steps[i].event)
			}
		}
	}
}
