package audit

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// compile builds a C program with flags, to see the marks that they leave.
func compile(t *testing.T, flags ...string) Program {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	src, out := filepath.Join(dir, "a.c"), filepath.Join(dir, "a")
	if err := os.WriteFile(src, []byte("#include <stdio.h>\nint main(void){char b[64];return fgets(b,64,stdin)!=b;}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command(cc, append(flags, "-o", out, src)...).CombinedOutput(); err != nil {
		t.Skipf("%v: %s", err, b)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := ReadProgram(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Each mark is seen where it is and absent where it is not.
func TestReadProgram(t *testing.T) {
	hard := compile(t, "-fPIE", "-pie", "-Wl,-z,relro,-z,now,-z,noexecstack", "-fstack-protector-all")
	soft := compile(t, "-no-pie", "-fno-pie", "-Wl,-z,norelro,-z,lazy,-z,execstack", "-fno-stack-protector")
	for _, tt := range []struct {
		name       string
		hard, soft Answer
	}{
		{"pie", hard.PIE, soft.PIE}, {"relro", hard.RELRO, soft.RELRO}, {"bind-now", hard.BindNow, soft.BindNow},
		{"nx-stack", hard.NXStack, soft.NXStack}, {"stack-protector", hard.Protector, soft.Protector},
	} {
		if tt.hard != Yes || tt.soft != No {
			t.Errorf("%s: %s with, %s without", tt.name, tt.hard, tt.soft)
		}
	}
	if hard.SafeStack != No || hard.CFI != No {
		t.Errorf("with symbols, SafeStack %s and CFI %s", hard.SafeStack, hard.CFI)
	}
	if stripped := compile(t, "-s"); stripped.SafeStack != Undetermined || stripped.CFI != Undetermined {
		t.Errorf("stripped, SafeStack %s and CFI %s", stripped.SafeStack, stripped.CFI)
	}
	cet := compile(t, "-fcf-protection=full", "-Wl,-z,ibt,-z,shstk")
	if cet.IBT != Yes || cet.SHSTK != Yes {
		t.Errorf("CET marks: IBT %s, SHSTK %s", cet.IBT, cet.SHSTK)
	}
}

// A binary may be hostile.
func FuzzReadProgram(f *testing.F) {
	if b, err := os.ReadFile("/bin/true"); err == nil {
		f.Add(b)
	}
	f.Add([]byte("\x7fELF"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = ReadProgram(bytes.NewReader(b)) })
}

// A report fails for what is missing, extra or unknown, and for nothing else.
func TestVerdicts(t *testing.T) {
	for v, bad := range map[Verdict]bool{Seen: false, Recorded: false, Missing: true, Extra: true, Unknown: true} {
		var j judge
		j.add(GroupRights, "row", v, "want", "seen")
		r := j.report("a", 1)
		if r.OK == bad || (len(r.Bad()) == 1) != bad {
			t.Errorf("%s: ok %v", v, r.OK)
		}
	}
	var j judge
	j.equal(GroupRights, "unreadable", "1", "")
	j.equal(GroupRights, "other", "1", "2")
	j.equal(GroupRights, "same", "1", "1")
	j.none(GroupRights, "list", "empty", []string{"x"})
	want := []Verdict{Unknown, Missing, Seen, Extra}
	for i, row := range j.rows {
		if row.Verdict != want[i] {
			t.Errorf("%s is %s, want %s", row.ID, row.Verdict, want[i])
		}
	}
}
