package qmp

import (
	"encoding/json"

	"skep/internal/hypervisor"
)

// decodeEvent is false for an event that nobody waits for. Data that is not as
// it should be leaves the fields empty: the kind alone still counts.
func decodeEvent(m message) (hypervisor.Event, bool) {
	e := hypervisor.Event{Kind: hypervisor.EventKind(m.Event)}
	switch e.Kind {
	case hypervisor.EventShutdown, hypervisor.EventReset, hypervisor.EventStop, hypervisor.EventResume, hypervisor.EventPowerdown, hypervisor.EventPanicked, hypervisor.EventIOError, hypervisor.EventWatchdog:
	default:
		return hypervisor.Event{}, false
	}
	var data struct {
		Guest   bool   `json:"guest"`
		Reason  string `json:"reason"`
		Node    string `json:"node-name"`
		NoSpace bool   `json:"nospace"`
		Does    string `json:"operation"`
		Action  string `json:"action"`
	}
	if len(m.Data) > 0 && json.Unmarshal(m.Data, &data) == nil {
		e.Guest, e.NoSpace = data.Guest, data.NoSpace
		e.Read, e.Stopped = data.Does == "read", data.Action == "stop"
		e.Reason, e.Node = hypervisor.Clean(data.Reason), hypervisor.Clean(data.Node)
	}
	return e, true
}
