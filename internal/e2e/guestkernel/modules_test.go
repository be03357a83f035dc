package guestkernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// Debian 12 has its modules plain below /lib, Debian 13 compressed below /usr/lib: both are found,
// with what each needs in front of it.
func TestModulesOfEveryRelease(t *testing.T) {
	root := os.Getenv(EnvKernel)
	if root == "" {
		var err error
		if root, err = fetch(); err != nil {
			t.Skip("needs a kernel: " + err.Error())
		}
	}
	var order []string
	note := func(name string, b []byte) {
		if len(b) < 4 || string(b[1:4]) != "ELF" {
			t.Errorf("%s is not unpacked", name)
		}
		order = append(order, name)
	}
	found := findModules(root)
	for range 2 { // and each once
		if err := found.visit("virtio_net", note); err != nil {
			t.Fatal(err)
		}
	}
	if len(order) == 0 {
		t.Skip("this kernel has virtio_net built in")
	}
	if a, b := slices.Index(order, "failover"), slices.Index(order, "net_failover"); a < 0 || b < a || order[len(order)-1] != "virtio_net" {
		t.Errorf("in this order: %v", order)
	}
	if _, err := exec.LookPath("xz"); err != nil {
		t.Skip("needs xz")
	}
	// The same module as the newer releases have it.
	other := t.TempDir()
	b, err := read(found.paths["virtio_net"])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(other, "usr/lib/modules/x/virtio_net.ko")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("xz", "--check=crc32", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	order = nil
	if err := findModules(other).visit("virtio_net", note); err != nil || len(order) != 1 {
		t.Errorf("%v, %v", order, err)
	}
}
