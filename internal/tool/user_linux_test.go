package tool

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestAsAnOrdinaryUser runs the other tests of this package once more, as somebody who is not root.
func TestAsAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 || os.Getenv("SKEP_TEST_AS_USER") != "" {
		t.Skip("needs root, to become somebody else")
	}
	dir, err := os.MkdirTemp("", "skep-tool-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "tool.test")
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	tmp := filepath.Join(dir, "tmp")
	for _, err := range []error{os.Chmod(dir, 0o755), os.Mkdir(tmp, 0o777), os.Chmod(tmp, 0o777)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-test.v", "-test.run", "TestReader|TestConvert|TestCanceled")
	cmd.Dir = tmp
	cmd.Env = []string{"SKEP_TEST_AS_USER=1", "TMPDIR=" + tmp, "PATH=" + os.Getenv("PATH"), "HOME=" + tmp}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54321, Gid: 54321}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
