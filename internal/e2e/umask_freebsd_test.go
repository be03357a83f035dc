package e2e

import "testing"

// The users of a cell's jails get through its rootfs whatever the umask of whoever starts it.
func TestStrictUmask(t *testing.T) {
	l := clean(t)
	l.as = []string{"sh", "-ec", `umask 0077; exec "$@"`, "sh"}
	if r := l.typed("q", "run", "hello"); r.code != 0 {
		t.Error(r)
	}
	l.cell("a", `nic "lan" { network = "sinkhole" }`)
	l.must(0, "up", "a")
	l.audit(0, "a")
	l.must(0, "down", "a")
	l.nothingLeft()
}
