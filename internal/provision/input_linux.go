package provision

import (
	"context"
	"image"
	"time"

	"skep/internal/fault"
	"skep/internal/input"
	"skep/internal/screen"
)

// Input goes by QMP. What is still down when it fails is let go of.
func (m *qemuMachine) Input(ctx context.Context, steps []input.Step) error {
	ctx, cancel := context.WithTimeout(ctx, inputWait)
	defer cancel()
	var size image.Point
	if input.Points(steps) {
		var err error
		if size, err = m.screenSize(ctx); err != nil { // QEMU's axes know no pixels
			return err
		}
		for _, s := range steps {
			if s.Key == "" && (s.X >= size.X || s.Y >= size.Y) {
				return outside(&screen.OutsideError{X: s.X, Y: s.Y, Width: size.X, Height: size.Y})
			}
		}
	}
	down := map[input.Step]bool{}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), quitWait)
		defer cancel()
		for s := range down {
			_ = m.press(ctx, s, false)
		}
	}()
	for _, s := range steps {
		one := input.Step{Key: s.Key, Button: s.Button}
		var err error
		switch {
		case s.Key == "" && s.Button == "":
			err = m.qmp.Point(ctx, s.X, s.Y, size.X, size.Y)
		default:
			err = m.press(ctx, one, s.Down)
			down[one] = true
			if err == nil && !s.Down {
				delete(down, one)
			}
		}
		if err != nil {
			return fault.Wrap(fault.Host, err, "", "use keyboard and pointer")
		}
		if s.Rest {
			select {
			case <-time.After(inputRest):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

func (m *qemuMachine) press(ctx context.Context, s input.Step, down bool) error {
	if s.Button != "" {
		return m.qmp.Button(ctx, s.Button, down)
	}
	return m.qmp.Key(ctx, s.Key, down)
}

func (m *qemuMachine) screenSize(ctx context.Context) (image.Point, error) {
	if !m.screen {
		return image.Point{}, fault.New(fault.Input, "add screen {} to the cell file", "click: it has no screen")
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return image.Point{}, err
	}
	defer ours.Close()
	defer theirs.Close()
	return m.qmp.ScreenSize(ctx, ours, theirs)
}
