//go:build unix

package disk

import (
	"errors"
	"syscall"
)

// isEnd is lseek(2)'s answer where no data follows.
func isEnd(err error) bool { return errors.Is(err, syscall.ENXIO) }

// noHoles is its answer where it cannot tell.
func noHoles(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOTTY)
}
