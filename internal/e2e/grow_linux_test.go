package e2e

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A layer, a qcow2 image and a raw one become larger under a guest that runs: it sees that, writes there, and the
// jail is as sealed as it was. No file becomes larger than limits.disk says.
func TestGrowRunning(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	base := l.baseImage("base.img", "of the base", 16<<20)
	l.baseImage("raw.img", "raw", 8<<20)
	l.cell("g", "accel = \"tcg\"\nmemory = \"192M\"\ndisk \"root\" {\n  base = \""+base+"\"\n}\ndisk \"data\" {\n  file = \""+l.path("raw.img")+
		"\"\n}\njail {\n  limits { disk = \"64M\" }\n}\n"+kernelBlock(k))
	l.must(0, "up", "g")
	c := l.console("g")
	c.expect(boot, "guest: ready")
	talk := func(order, answer string) {
		t.Helper()
		c.send(order + "\n")
		c.expect(slow, "guest: "+answer)
	}
	talk("size vda", "size vda 32768")
	l.must(0, "disk", "grow", "g", "root", "32M")
	talk("size vda", "size vda 65536")
	talk("write behind", "written")
	l.must(0, "disk", "grow", "g", "data", "24M")
	talk("size vdb", "size vdb 49152")
	if info, err := os.Stat(l.path("raw.img")); err != nil || info.Size() != 24<<20 {
		t.Errorf("the raw image has %v, %v", info, err)
	}
	for _, c := range []struct{ disk, size, says string }{
		{"data", "65M", "limits.disk is 64M"},
		{"data", "16M", "it has 24M already"},
		{"root", "16M", "it has 32M already"},
		{"nosuch", "64M", "nosuch"},
	} {
		if r := l.must(2, "disk", "grow", "g", c.disk, c.size); !strings.Contains(r.err, c.says) {
			t.Errorf("%s", r)
		}
	}
	l.audit(0, "g")
	if s := l.show("g"); s.Reach.Syscalls > 40 {
		t.Errorf("%d calls", s.Reach.Syscalls)
	}
	l.must(0, "down", "g")
	// Without limits.disk the bound of its files is raised, which not every root may do.
	l.cell("g", "accel = \"tcg\"\nboot = \"hello\"\ndisk \"data\" {\n  file = \""+l.path("raw.img")+"\"\n}\n")
	l.must(0, "up", "g")
	r := l.skep("disk", "grow", "g", "data", "48M")
	var now unix.Rlimit
	l.try(unix.Prlimit(l.show("g").PID, unix.RLIMIT_FSIZE, nil, &now))
	switch {
	case r.code == 2 && strings.Contains(r.err, "the caller lacks CAP_SYS_RESOURCE") && now.Cur == 24<<20:
	case r.code == 0 && now.Cur == 48<<20:
	default:
		t.Errorf("bound %d, %s", now.Cur, r)
	}
	l.audit(0, "g")
	l.must(0, "kill", "g")
	l.nothingLeft()
}
