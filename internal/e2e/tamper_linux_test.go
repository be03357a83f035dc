package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mustTool runs a program of the host's, and skips where there is none.
func mustTool(t *testing.T, argv ...string) string {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Skip(err)
	}
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", argv, err, out)
	}
	return strings.TrimSpace(string(out))
}

// inside changes a sysctl in one namespace of a process: "u", "n", "i" of
// nsenter(1).
func inside(t *testing.T, pid int, ns, name, value string) (undo func()) {
	t.Helper()
	in := []string{"nsenter", "-t", strconv.Itoa(pid), "-" + ns, "sh", "-c"}
	old := mustTool(t, append(in, "cat /proc/sys/"+name)...)
	mustTool(t, append(in, "echo '"+value+"' > /proc/sys/"+name)...)
	return func() { mustTool(t, append(in, "echo '"+old+"' > /proc/sys/"+name)...) }
}

// freeze freezes the control group of a process, on whichever tree there is.
func freeze(t *testing.T, pid int) (undo func()) {
	t.Helper()
	b, err := os.ReadFile(procOf(pid, "cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		_, path, ok := strings.Cut(line, "0::")
		if !ok || path == "/" {
			continue
		}
		for _, base := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
			file := filepath.Join(base, path, "cgroup.freeze")
			if os.WriteFile(file, []byte("1"), 0) == nil {
				time.Sleep(200 * time.Millisecond)
				return func() { mustWrite(t, file, "0"); time.Sleep(200 * time.Millisecond) }
			}
		}
	}
	t.Skip("no control group of its own can be frozen on this host")
	return nil
}

// A guest whose tap is moved is in another network: each change of the host's
// end of a card fails the audit, and show says what it is.
func TestAuditOfACard(t *testing.T) {
	needTap(t)
	t.Parallel()
	ns, l := newNetns(t), newLab(t)
	l.in = ns
	l.cell("carded", "accel = \"tcg\"\nnic \"lan\" { bridge = \"br0\" }")
	l.must(0, "up", "carded")
	defer l.nothingLeft()
	defer l.must(0, "down", "--force", "carded")
	tap := ""
	for name, tag := range ns.links() {
		if tag == "skep tap carded lan" {
			tap = name
		}
	}
	ip := func(args ...string) string {
		t.Helper()
		var out []byte
		var err error
		ns.do(func() error {
			out, err = exec.Command("ip", args...).CombinedOutput()
			return nil
		})
		if err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	l.audit(0, "carded")
	shown := l.must(0, "show", "carded").out
	for _, want := range []string{"tap " + tap + " on br0", "MTU 1500", "the guest's address 02:"} {
		if !strings.Contains(shown, want) {
			t.Errorf("show does not say %q:\n%s", want, shown)
		}
	}
	ip("link", "add", "br1", "type", "bridge")
	for _, tt := range []struct{ row, do, undo string }{
		{"nic-lan-master", "link set " + tap + " master br1", "link set " + tap + " master br0"},
		{"nic-lan-master", "link set " + tap + " nomaster", "link set " + tap + " master br0"},
		{"nic-lan-mtu", "link set " + tap + " mtu 1400", "link set " + tap + " mtu 1500"},
		{"nic-lan-mac", "link set " + tap + " address 02:00:00:00:00:77", ""},
		{"nic-lan-tap", "link set " + tap + " down", "link set " + tap + " up"},
	} {
		old := strings.Fields(ip("-o", "link", "show", tap))
		ip(strings.Fields(tt.do)...)
		if got := l.audit(5, "carded").verdict(tt.row); got != "missing" {
			t.Errorf("%s: row %s is %q", tt.do, tt.row, got)
		}
		if tt.undo == "" {
			tt.undo = "link set " + tap + " address " + old[indexOf(old, "link/ether")+1]
		}
		ip(strings.Fields(tt.undo)...)
		l.audit(0, "carded")
	}
	if _, err := exec.LookPath("bridge"); err == nil {
		ns.do(func() error {
			out, err := exec.Command("bridge", "vlan", "add", "vid", "20", "dev", tap).CombinedOutput()
			if err != nil {
				t.Logf("no VLANs on a bridge here: %s", out)
				return nil
			}
			if got := l.audit(5, "carded").verdict("nic-lan-vlan"); got != "missing" {
				t.Errorf("a VLAN besides: row nic-lan-vlan is %q", got)
			}
			return exec.Command("bridge", "vlan", "del", "vid", "20", "dev", tap).Run()
		})
	}
	ip("link", "del", "br0")
	if got := l.audit(5, "carded").verdict("nic-lan-master"); got != "missing" {
		t.Errorf("its bridge is deleted: row nic-lan-master is %q", got)
	}
}

func indexOf(list []string, what string) int {
	for i, s := range list {
		if s == what {
			return i
		}
	}
	return -1
}
