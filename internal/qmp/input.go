package qmp

import "context"

// inputEvent is one of input-send-event's.
type inputEvent struct {
	Type string `json:"type"`
	Data any    `json:"data"`
}

func (q *Client) sendInput(ctx context.Context, events ...inputEvent) error {
	return q.Execute(ctx, "input-send-event", map[string]any{"events": events}, nil)
}

// Key presses or lets go of a key, by QEMU's name of it. Where the guest has no keyboard this fails, which
// send-key does not.
func (q *Client) Key(ctx context.Context, name string, down bool) error {
	return q.sendInput(ctx, inputEvent{"key", map[string]any{"down": down, "key": map[string]string{"type": "qcode", "data": name}}})
}

// Button presses or lets go of a button of the pointer: left, middle or right.
func (q *Client) Button(ctx context.Context, name string, down bool) error {
	return q.sendInput(ctx, inputEvent{"btn", map[string]any{"down": down, "button": name}})
}

// Point moves the pointer to a pixel of a screen of that size.
func (q *Client) Point(ctx context.Context, x, y, width, height int) error {
	axis := func(name string, at, of int) inputEvent {
		return inputEvent{"abs", map[string]any{"axis": name, "value": scale(at, of)}}
	}
	return q.sendInput(ctx, axis("x", x, width), axis("y", y, height))
}

// scale is a pixel of so many on QEMU's axis, in its middle, so that the guest's own rounding finds it again.
func scale(at, of int) int {
	const axisMax = 0x7fff
	return min((2*at+1)*(axisMax+1)/(2*max(of, 1)), axisMax)
}
