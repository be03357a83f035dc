package bait

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// TestAttackerIsBuiltFromSource guards against a program that nobody can read.
func TestAttackerIsBuiltFromSource(t *testing.T) {
	nasm, err := exec.LookPath("nasm")
	if err != nil {
		t.Skip("nasm is not installed")
	}
	built := filepath.Join(t.TempDir(), "attacker")
	if out, err := exec.Command(nasm, "-f", "bin", "-Werror", "-o", built, "attacker_linux.asm").CombinedOutput(); err != nil {
		t.Fatalf("nasm: %v\n%s", err, out)
	}
	if got, err := os.ReadFile(built); err != nil || !bytes.Equal(got, attackerAMD64) {
		t.Errorf("attacker_linux.amd64 is not what attacker_linux.asm assembles to; run go generate (%v)", err)
	}
}

// TestAttackerIsHarmlessOutside: where nobody gives it commands on the descriptor that it looks at, it
// ends, whatever that descriptor is.
func TestAttackerIsHarmlessOutside(t *testing.T) {
	if _, ok := Attackers[runtime.GOARCH]; !ok {
		t.Skip("no attacker for this architecture")
	}
	program := filepath.Join(t.TempDir(), "attacker")
	if err := os.WriteFile(program, Attackers[runtime.GOARCH], 0o755); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, args := range [][]string{{}, {"x"}, {"x", "y"}} {
		cmd := exec.Command(program, args...)
		cmd.ExtraFiles = []*os.File{null}
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != 77 {
			t.Errorf("with %d arguments: %v", len(args)+1, err)
		}
	}
}
