package hypervisor_test

import (
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/hypervisor"
)

// Each QEMU gets the form that it takes without a complaint.
func TestOptionsOfEachVersion(t *testing.T) {
	const old, young = "-mon chardev=qmp,mode=control", "-object monitor-qmp,id=monitor,chardev=qmp"
	for version, isYoung := range map[string]bool{
		"": false, "nonsense": false, "7": false, "6.0.0": false, "7.2.22": false, "10.0.13": false, "11.0.2": false,
		"11.1.3": true, "11.2": true, "12.0.0": true,
	} {
		line := strings.Join(hypervisor.QEMUArgs(testCells()["hello"], hypervisor.QEMUInput{Accel: cell.AccelTCG, Version: version}), " ")
		if strings.Contains(line, old) == isYoung || strings.Contains(line, young) != isYoung {
			t.Errorf("%q: monitor: %s", version, line)
		}
		if strings.Contains(line, "debug-threads") == isYoung {
			t.Errorf("%q: threads: %s", version, line)
		}
	}
}

// A board without system management mode, but where it would make a screen black.
func TestSMMOfEachVersion(t *testing.T) {
	for version, black := range map[string]bool{
		"": false, "7.2.22": false, "10.0.0": true, "10.0.2": true, "10.0.13": false, "10.0.rc1": false, "10.1.0": false, "11.1.3": false,
	} {
		for name, want := range map[string]bool{"hello": true, "screen": !black} {
			for _, accel := range []cell.Accel{cell.AccelTCG, cell.AccelKVM} {
				line := strings.Join(hypervisor.QEMUArgs(testCells()[name], hypervisor.QEMUInput{Accel: accel, Version: version}), " ")
				if strings.Contains(line, "smm=off") != want {
					t.Errorf("QEMU %q, %s, %s: smm=off is %t: %s", version, name, accel, !want, line)
				}
			}
		}
	}
}

// The QEMU of this host has nothing to complain about.
func TestNoComplaints(t *testing.T) {
	for _, name := range []string{"hello", "screen", "disks"} {
		t.Run(name, func(t *testing.T) {
			c := testCells()[name]
			l := start(t, c, cell.AccelTCG, behind(t, c))
			if err := l.quit(); err != nil {
				t.Errorf("%v: %s", err, l.stderr.LastWords())
			}
			if said := l.stderr.LastWords(); strings.Contains(said, "deprecat") || strings.Contains(said, "warning") {
				t.Errorf("it complains: %s", said)
			}
		})
	}
}
