package attack

import (
	"net"
	"os"
	"runtime"
	"skep/internal/drill/bait"
	"skep/internal/drill/report"
	"testing"

	"golang.org/x/sys/unix"
)

// outside are attempts that succeed where there is no jail, and do no harm there: the table is not
// stopped by its own mistakes.
var outside = []string{
	"open-passwd", "open-bait", "open-to-write", "old-open", "open-secret", "climb", "dev-fd", "stat",
	"create-on-host", "symlink", "hard-link", "unlink", "truncate", "chmod", "chown", "get-handle",
	"dev-mem", "dev-kmem", "dev-pci", "dev-zero", "kill", "sigqueue", "priority", "set-priority",
	"process-list", "process-maps", "jail-get", "tcp", "udp", "unix", "kldfind", "kldnext", "wx-map", "wx-shared",
}

// TestOutside has the same attacker make them outside any jail.
func TestOutside(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the bait has a jail, which is root's")
	}
	b, err := bait.Lay(bait.Attackers[runtime.GOARCH], false)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Clear()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "commands"), os.NewFile(uintptr(pair[1]), "commands")
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		t.Fatal(err)
	}
	cmd := bait.BystanderCommand(b.Program, theirs)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	defer func() { conn.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	s := &Fixture{Bait: b}
	if s.Session, err = Meet(conn); err != nil {
		t.Fatal(err)
	}
	if err := s.IgnoreSignals(); err != nil {
		t.Fatal(err)
	}
	all := map[string]Attempt{}
	for _, a := range All() {
		all[a.ID] = a
	}
	for _, id := range outside {
		if _, ok := all[id]; !ok {
			t.Errorf("no attempt is named %s", id)
			continue
		}
		if v, how := s.make(all[id]); v != report.Escaped {
			t.Errorf("%s: %s by %s outside any jail", id, v, how)
		}
	}
}
