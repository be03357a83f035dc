package e2e

import (
	"os"
	"strconv"
	"testing"
)

// What skep makes for the users in its jails does not go by the umask of whoever calls it: the unit of systemd has
// 0077. The host is looked at anew in it, as that makes files too.
func TestStrictUmask(t *testing.T) {
	needCells(t)
	t.Parallel()
	l := newLab(t)
	l.as = []string{"sh", "-ec", `umask 0077; exec "$@"`, "sh"}
	l.write("in/sample", "x")
	l.try(os.WriteFile(l.path("base.img"), make([]byte, 4<<20), 0o600))
	l.cell("a", `accel = "tcg"
screen {}
nic "sink" { network = "sinkhole" }
nic "lab" {
  network = "lab"
  segment = "umask-`+strconv.Itoa(os.Getpid())+`"
}
nic "user" {
  network = "user"
  capture = true
}
disk "base" { base = "`+l.path("base.img")+`" }
disk "own" {
  file = "`+l.path("own.img")+`"
  size = "4M"
}
files "in" { paths = ["`+l.path("in")+`"] }
results "out" { size = "64M" }`)
	l.must(0, "up", "a")
	l.audit(0, "a")
	l.must(0, "screenshot", "a", "-o", l.path("a.png"))
	l.must(0, "image", "import", "b", l.path("base.img"))
	l.must(0, "down", "a")
	l.must(0, "results", "a", l.path("out"))
	l.nothingLeft()
}
