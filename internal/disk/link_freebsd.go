package disk

import (
	"errors"
	"syscall"
)

// isLinkError: FreeBSD answers EMLINK to O_NOFOLLOW on a symbolic link,
// open(2).
func isLinkError(err error) bool { return errors.Is(err, syscall.EMLINK) }
