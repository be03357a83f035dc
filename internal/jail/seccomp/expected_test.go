package seccomp

import "testing"

// Each row of expected refusals both ways: what a C library or QEMU asks for, and the nearest to it that
// no hypervisor does.
func TestExpectedRefusals(t *testing.T) {
	const cwd, cwd64 = 0xffffff9c, 0xffffffffffffff9c
	tested := map[string]bool{}
	for _, c := range []struct {
		call string
		args [6]uint64
		seen uint64
		want bool
	}{
		{"unlink", [6]uint64{0x7000}, 0, false}, // a row of the policy's says that it is not there
		{"unlinkat", [6]uint64{cwd, 0x7000}, 3, true},
		{"unlinkat", [6]uint64{cwd, 0x7000}, 4, false},
		{"unlinkat", [6]uint64{cwd, 0x7000, 0x200}, 0, false}, // a directory
		{"unlinkat", [6]uint64{8, 0x7000}, 0, false},
		{"mremap", [6]uint64{0x7000, 0x201000, 0x101000, 1}, 1 << 40, true},
		{"mremap", [6]uint64{0x7000, 0x201000, 0x101000, 3, 0x9000}, 0, false}, // to a place of its choice
		{"mremap", [6]uint64{0x7000, 0x201000, 0x101000, 5}, 0, false},         // and leaves the old one
		{"openat", [6]uint64{cwd, 0x7000, 0x80000}, 0, true},
		{"openat", [6]uint64{cwd64, 0x7000, 0x80000}, 15, true},
		{"openat", [6]uint64{cwd, 0x7000, 0x80000}, 16, false},
		{"openat", [6]uint64{cwd, 0x7000, 0x80001}, 0, false}, // to write
		{"openat", [6]uint64{cwd, 0x7000, 0x80040}, 0, false}, // to make
		{"openat", [6]uint64{cwd, 0x7000, 0x90000}, 0, false}, // a directory
		{"openat", [6]uint64{8, 0x7000, 0x80000}, 0, false},   // below a descriptor
		{"sched_getaffinity", [6]uint64{0, 4096, 0x7000}, 0, true},
		{"sched_getaffinity", [6]uint64{0, 4096, 0x7000}, 8, false},
		{"sched_getaffinity", [6]uint64{1, 4096, 0x7000}, 0, false}, // of another
		{"prctl", [6]uint64{15, 0x7000}, 1 << 20, true},
		{"prctl", [6]uint64{29, 1}, 0, false}, // the slack of its timers
		{"open", [6]uint64{0x7000, 0x80000}, 0, false},
		{"socket", [6]uint64{}, 0, false},
	} {
		for _, arch := range []Arch{AMD64, ARM64} {
			n, here := arch.Number(c.call)
			if !here {
				continue
			}
			row, got := Expects(arch, n, c.args, c.seen)
			if got != c.want {
				t.Errorf("%s: %s %#x after %d: expected is %v", arch.Name, c.call, c.args, c.seen, got)
			}
			tested[row.Call] = tested[row.Call] || got
		}
	}
	for _, row := range expectations {
		if !tested[row.Call] || row.Reason == "" {
			t.Errorf("the row of %s has no test, or no reason", row.Call)
		}
	}
}

// What is expected to be refused is: no row of the policy's allows one of these calls.
func TestExpectedIsNotAllowed(t *testing.T) {
	for _, row := range QEMU(Disk, NIC, KVM, TCG, Screen, Debug).Rows {
		for _, e := range expectations {
			if row.Call == e.Call {
				t.Errorf("%s has a row in the policy", e.Call)
			}
		}
	}
}
