package seccomp

import "testing"

func TestRunPhaseIsSmall(t *testing.T) {
	for _, needs := range [][]Need{{Disk, NIC, TCG}, {Disk, NIC, KVM}, {Disk, NIC, KVM, Screen, Debug}} {
		for _, arch := range []Arch{AMD64, ARM64} {
			p := QEMU(needs...)
			n := p.Count(arch, Run)
			f, err := p.Compile(arch)
			t.Logf("%s %v: %d run, %d never, %d instructions", arch.Name, needs, n, p.Count(arch, Never), len(f))
			if err != nil {
				t.Fatal(err)
			}
			if n > 40 {
				t.Errorf("%s %v: %d calls in the run phase", arch.Name, needs, n)
			}
		}
	}
}
