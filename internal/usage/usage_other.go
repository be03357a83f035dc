//go:build !linux && !freebsd

package usage

import (
	"errors"
	"time"
)

func ofProcess(int) (Use, error) { return Use{}, errors.ErrUnsupported }

// Age is not known here.
func Age(int) (time.Duration, error) { return 0, errors.ErrUnsupported }

func ofTap(string) (in, out int64) { return 0, 0 }
