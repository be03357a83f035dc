package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"skep/guest/hello"
	"skep/internal/store"
)

// servicesOf are those who serve the cards of a cell.
func (l *lab) servicesOf(name string) (all []store.Service) {
	l.t.Helper()
	var s struct{ Services []store.Service }
	r := l.must(0, "show", name, "--json")
	if err := json.Unmarshal([]byte(r.out), &s); err != nil {
		l.t.Fatal(err, r)
	}
	return s.Services
}

// TestCellUserNetworks: cards on networks in user space and a capture on a bridge. Who serves them is started again after
// its death and after its keeper's; the audit finds all of it and one interface too many; nothing is left.
func TestCellUserNetworks(t *testing.T) {
	l := clean(t)
	l.cell("net", `nic "lan" {
  network = "sinkhole"
  capture = true
}
nic "out" {
  network = "user"
  allow   = ["192.0.2.1:443"]
}
nic "br" {
  bridge  = "skepnet7"
  capture = true
}
bridge "skepnet7" { create = true }`)
	l.must(0, "up", "net")
	r := l.must(0, "audit", "net")
	for _, row := range []string{"stack", "network-lan-capsicum", "network-lan-jail", "network-out-descriptors", "capture-br-descriptor-rights", "capture-br-rootfs"} {
		if !strings.Contains(r.out, row) {
			t.Errorf("no row %s\n%s", row, r)
		}
	}
	first := l.servicesOf("net")
	if len(first) != 3 {
		t.Fatalf("%+v", first)
	}
	for _, s := range first {
		_ = syscall.Kill(s.PID, syscall.SIGKILL)
	}
	eventually(t, slow, "others in their place", func() bool {
		now := l.servicesOf("net")
		return len(now) == 3 && !slices.ContainsFunc(now, func(s store.Service) bool {
			return s.Restarts == 0 || slices.ContainsFunc(first, func(o store.Service) bool { return o.PID == s.PID })
		})
	})
	v := l.console("net")
	v.send("r")
	v.expect(slow, hello.Greeting)
	eventually(t, slow, "an audit that finds all after a reset", func() bool { return l.skep("audit", "net").code == 0 })
	l.must(0, "capture", "net", l.path("lan.pcapng"), "--nic", "lan")
	if b, err := os.ReadFile(l.path("lan.pcapng")); err != nil || len(b) < 100 {
		t.Errorf("the capture has %d bytes, %v", len(b), err)
	}
	// What else is in the stack is seen.
	for _, argv := range [][]string{{"tap31999", "create"}, {"tap31999", "vnet", "skepstack-net"}} {
		if out, err := exec.Command("/sbin/ifconfig", argv...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
	}
	if r := l.skep("audit", "net"); r.code == 0 || !strings.Contains(r.out+r.err, "tap31999") {
		t.Errorf("an interface too many: %s", r)
	}
	for _, argv := range [][]string{{"tap31999", "-vnet", "skepstack-net"}, {"tap31999", "destroy"}} {
		if out, err := exec.Command("/sbin/ifconfig", argv...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
	}
	keeper := l.show("net").KeeperPID
	_ = syscall.Kill(keeper, syscall.SIGKILL)
	eventually(t, slow, "another keeper", func() bool {
		l.skep("adopt", "--all")
		s := l.show("net")
		return s.State == "running" && s.KeeperPID != 0 && s.KeeperPID != keeper
	})
	l.must(0, "audit", "net")
	s := l.show("net")
	_ = syscall.Kill(s.KeeperPID, syscall.SIGKILL)
	_ = syscall.Kill(s.PID, syscall.SIGKILL)
	eventually(t, slow, "nothing left of it", func() bool { l.skep("sweep"); return !file(l.path("run/cells/net")) })
	l.cell("segment", "nic \"lan\" { network = \"lab\" }")
	if r := l.skep("up", "segment"); r.code != 2 || !strings.Contains(r.err, "segment on a FreeBSD host") {
		t.Errorf("%s", r)
	}
}
