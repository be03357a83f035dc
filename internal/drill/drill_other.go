//go:build !linux && !freebsd

package drill

import "context"

// Fixture is a place to attack from. There is none on this system yet.
type Fixture struct{}

// attempts is the table. This system has none yet.
func attempts() []Attempt { return nil }

func headStarts() []Attempt { return nil }

// Run drills a twin of the cell; on this system it cannot yet.
func Run(context.Context, Config) (Report, error) { return Report{}, errUnsupported }
