package provision

import (
	"skep/internal/cell"
	"skep/internal/host"
)

// RememberRefused notes that KVM fails on what this cell boots.
func RememberRefused(c *cell.Cell, f host.Facts) error {
	if sum := BootSum(c, f); sum != "" {
		return host.RememberRefused(f.Dirs.State, sum)
	}
	return nil
}
