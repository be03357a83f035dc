package audit

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What is accessible is told by its whole name, and what could not be read is no
// empty room.
func TestReachable(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{".hidden", "dir/file"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, nodes, unread := reachable(root)
	if !slices.Equal(files, []string{"/.hidden", "/dir/file"}) || len(nodes)+len(unread) != 0 {
		t.Errorf("%q, %q, %q", files, nodes, unread)
	}
	if _, _, unread := reachable(root + "/none"); !slices.Equal(unread, []string{"/"}) {
		t.Errorf("of a root that cannot be read: %q", unread)
	}
}

func TestUnreadRootfsIsUnknown(t *testing.T) {
	a := &linuxAudit{linuxSeen: &linuxSeen{Unread: []string{"/"}}}
	a.rootfs()
	unknown := map[string]bool{}
	for _, r := range a.judge.rows {
		unknown[r.ID] = r.Verdict == Unknown
	}
	for _, id := range []string{"files", "nodes", "mounts", "mount-flags", "network-devices"} {
		if !unknown[id] {
			t.Errorf("%s is not unknown: %+v", id, a.judge.rows)
		}
	}
}
