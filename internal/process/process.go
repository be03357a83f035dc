// Package process says whether a process lives, and which boot of the host this is. A number alone
// says neither: it may be another's by now, so a process is known by its number and its start.
package process

import "errors"

// ErrGone is returned for a process that is no more.
var ErrGone = errors.New("the process is gone")

// Gone says whether there is no such process any more. One that was killed and that nobody has
// waited for is gone, though its number still exists.
func Gone(pid int) bool { return pid <= 0 || gone(pid) }
