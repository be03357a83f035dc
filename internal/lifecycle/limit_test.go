package lifecycle

import (
	"slices"
	"strings"
	"time"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/hypervisor"
)

// limits are lives of a cell with a time limit of a minute.
func limits() []scenario {
	limit := func(r cell.Restart) func(*Policy) {
		return func(p *Policy) { p.TimeLimit, p.Restart = time.Minute, r }
	}
	const (
		set    = "SetTimer{time-limit 1m0s} "
		asked  = "the guest powered off, asked by its time limit"
		before = "stopped while waiting to be restarted after: triple fault"
	)
	press := strings.Replace(pressed, "by A", "by its time limit", 1)
	begun := []step{{Begin{}, Starting, begins}, {Started{}, Running, set + runs}}
	crashed := append(begun[:2:2], step{crash, Releasing, over}, step{gone, Crashed, pause1})
	up, stops := Fired{TimerLimit}, []step{{off, Releasing, over}, {gone, Stopped, last}}
	killed := hypervisor.End{Kind: hypervisor.EndKilled, Detail: "d"}
	powered := Outcome{End: off.End, State: Stopped, Code: fault.TimeLimit, Reason: asked}
	return []scenario{
		{"its time is over", limit(cell.RestartAlways), slices.Concat(begun, []step{
			{up, Stopping, press}, {StopAsked{"A"}, Stopping, "Answer"}, {up, Stopping, ""}}, stops), powered, nil},
		{"its time is over, and it does not obey", limit(cell.RestartAlways), slices.Concat(begun, []step{
			{up, Stopping, press}, {Fired{TimerForce}, Stopping, "Kill"}, {Ended{End: killed}, Releasing, over}}, stops[1:]),
			Outcome{End: killed, State: Stopped, Code: fault.TimeLimit, Reason: "the guest did not power off within 30s; its time limit was over"}, nil},
		{"its time is over while it is suspended", limit(cell.RestartNever), slices.Concat(begun, []step{
			{PauseAsked{"skep pause", ByCommand}, Paused, "Publish{paused: by skep pause} Pause"},
			{up, Stopping, strings.Replace(press, "} ", "} GoOn ", 1)}}, stops), powered, nil},
		{"its time is over in its second life", limit(cell.RestartOnCrash), slices.Concat(crashed, []step{
			{Fired{TimerPause}, Starting, begins}, {Started{}, Running, runs}, {up, Stopping, press}}, stops), powered, nil},
		{"its time is over while it starts again", limit(cell.RestartOnCrash), slices.Concat(crashed, []step{
			{Fired{TimerPause}, Starting, begins}, {up, Starting, ""}, {Started{}, Stopping, runs + " " + press}}, stops), powered, nil},
		{"its time is over between two lives", limit(cell.RestartOnCrash), append(crashed[:4:4], step{up, Stopped, last}),
			Outcome{End: crash.End, State: Stopped, Code: fault.TimeLimit, Reason: before}, nil},
		{"its time is over while it is released", limit(cell.RestartOnCrash), append(crashed[:3:3],
			step{up, Releasing, ""}, step{gone, Stopped, last}),
			Outcome{End: crash.End, State: Stopped, Code: fault.TimeLimit, Reason: before}, nil},
		{"its time is over, and it dies of the power button", limit(cell.RestartNever), slices.Concat(begun, []step{
			{up, Stopping, press}, {Ended{End: killed}, Releasing, over}}, stops[1:]),
			Outcome{End: killed, State: Stopped, Code: fault.TimeLimit, Reason: "d; its time limit was over"}, nil},
		{"it is stopped before its time is over", limit(cell.RestartNever), slices.Concat(begun, []step{
			{StopAsked{"A"}, Stopping, pressed + " Answer"}, {up, Stopping, ""}}, stops),
			Outcome{End: off.End, State: Stopped, Code: fault.Stopped, Reason: "the guest powered off, asked by A"}, nil},
	}
}
