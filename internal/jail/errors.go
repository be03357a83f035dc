package jail

import (
	"fmt"
	"syscall"

	"skep/internal/layer"
)

// A StepError names the row of the jail's program that failed. Nothing of the jail is left then.
type StepError struct {
	Layer layer.ID // the layer that did not apply; empty for a row that serves them all
	Step  string
	Errno syscall.Errno
}

func (e *StepError) Error() string {
	return fmt.Sprintf("cannot build the jail: step %s: %v", e.Step, e.Errno)
}

func (e *StepError) Unwrap() error { return e.Errno }

// A BuildError says why a jail could not be built, other than by a step of its program.
type BuildError struct{ Err error }

func (e *BuildError) Error() string { return "cannot build the jail: " + e.Err.Error() }

func (e *BuildError) Unwrap() error { return e.Err }
