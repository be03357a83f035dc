package hypervisor

import (
	"strconv"
	"strings"

	"skep/internal/cell"
)

// since says whether a version of QEMU, as it writes it itself, is this one or
// a later one. A version that nobody knows is taken for an early one: later
// QEMUs take what early ones took, and complain.
func since(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err1 := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// named is what ps(1) shows of the process. Up to 11.0 its threads have names
// of their own only where that is asked for; from 11.1 on they always have, and
// the word costs a line on standard error.
func (in QEMUInput) named(cell string) string {
	name := "guest=" + cell + ",process=skep-" + cell
	if since(in.Version, 11, 1) {
		return name
	}
	return name + ",debug-threads=off"
}

// monitor makes QMP of the socket: an object from 11.1 on, which calls the old
// way deprecated; 10.0 has not got the object.
func (in QEMUInput) monitor() Option {
	if since(in.Version, 11, 1) {
		return Option{Flag: "-object", Value: "monitor-qmp,id=monitor,chardev=qmp", Why: "QMP"}
	}
	return Option{Flag: "-mon", Value: "chardev=qmp,mode=control", Why: "QMP"}
}

// blankWithoutSMM: on q35 without system management mode the first releases of 10.0 keep the guest from the
// memory of VGA's text mode, and its screen stays black. Seen with 10.0.2, and not with 7.2, 10.0.13 and 11.1;
// which release between the two fixed it is not known. Such a board keeps QEMU's own choice, which is to have
// the mode where the accelerator has it.
func (in QEMUInput) blankWithoutSMM(c *cell.Cell) bool {
	patch, found := strings.CutPrefix(in.Version, "10.0.")
	n, err := strconv.Atoi(patch)
	return c.Screen != nil && found && err == nil && n < 13
}
