package provision

import (
	"skep/internal/cell"
	"skep/internal/host"
	"skep/internal/probe"
)

// RememberRefused notes that KVM fails on what this cell boots.
func RememberRefused(c *cell.Cell, f host.Facts) error {
	if sum := BootSum(c, f); sum != "" {
		return probe.RememberRefused(f.Dirs.State, sum)
	}
	return nil
}
