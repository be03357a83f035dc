package hypervisor_test

import (
	"fmt"
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/hypervisor"
)

// QEMU's own bound of translated code is a gigabyte: a Linux guest that was
// reset eight times had filled 212 MiB and was killed by its cell's limit.
func TestTranslatedCodeFitsTheLimit(t *testing.T) {
	for overhead, want := range map[cell.Size]int{16 * cell.MiB: 8, 256 * cell.MiB: 128, 64 << 30: 512} {
		c := cell.Hello()
		c.Jail.Limits.MemoryOverhead = overhead
		args := strings.Join(hypervisor.QEMUArgs(c, hypervisor.QEMUInput{Accel: cell.AccelTCG}), " ")
		if !strings.Contains(args, fmt.Sprintf(",tb-size=%d ", want)) {
			t.Errorf("with an overhead of %s: %s", overhead, args)
		}
	}
}
