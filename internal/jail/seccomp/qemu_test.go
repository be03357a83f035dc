package seccomp

import "testing"

func TestRunPhaseIsSmall(t *testing.T) {
	for _, needs := range [][]Need{{Disk, NIC, TCG}, {Disk, NIC, KVM}, {Disk, NIC, KVM, Screen}} {
		for _, arch := range []Arch{AMD64, ARM64} {
			p := QEMU(needs...)
			n := p.Count(arch, Run)
			f, err := p.Compile(arch)
			t.Logf("%s %v: %d run, %d start, %d+%d instructions", arch.Name, needs, n, p.Count(arch, Start), len(f.Phases), len(f.Calls))
			if err != nil {
				t.Fatal(err)
			}
			if n > 40 {
				t.Errorf("%s %v: %d calls in the run phase", arch.Name, needs, n)
			}
		}
	}
}
