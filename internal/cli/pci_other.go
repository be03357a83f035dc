//go:build !freebsd

package cli

import (
	"errors"
	"fmt"
)

// pciOf knows the devices of FreeBSD hosts only.
func pciOf(string) (string, error) {
	return "", fmt.Errorf("devices are found by name on FreeBSD hosts only: %w", errors.ErrUnsupported)
}
