package provision

import (
	"time"

	"skep/internal/fault"
	"skep/internal/screen"
)

// inputWait bounds one piece of input, and inputRest is how long a guest is left after each key: a PS/2
// keyboard's queue has room for a few, and what does not fit is lost without a word.
const (
	inputWait = 20 * time.Second
	inputRest = 30 * time.Millisecond
)

// outside is a place that is not on the screen, as a mistake of who asked.
func outside(err *screen.OutsideError) error {
	return fault.Wrap(fault.Input, err, "skep screenshot shows it", "click there")
}
