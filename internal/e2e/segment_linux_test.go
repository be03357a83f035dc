package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"skep/internal/e2e/guestkernel"
)

// Cells on one segment reach each other and nobody else, without a bridge, as root and as an ordinary user; one whose
// switch dies comes back, and another user's cell with that name is refused.
func TestSegment(t *testing.T) { asWho(t, segment) }

func segment(t *testing.T, ns *netns, l *lab, k guestkernel.Guest) {
	root := l.user == 0
	name := fmt.Sprintf("user%d-%d", l.user, os.Getpid()) // as no other run of the tests has
	ns.noBridge()
	// The host has an address that a card on its bridge would reach, and somebody answers there.
	ns.loopback(hostAddress)
	server := ns.answer("an answer")
	for _, c := range []string{"a", "b"} {
		l.cell(c, "accel = \"tcg\"\nmemory = \"192M\"\nnic \"lan\" {\nnetwork = \"lab\"\nsegment = \""+name+"\"\ncapture = true\n}\n"+kernelBlock(k))
	}
	l.ours()
	before := ns.counters()
	l.must(0, "up", "a", "b")
	a, b := l.console("a"), l.console("b")
	a.expect(boot, "guest: ready")
	b.expect(boot, "guest: ready")
	a.send("address 10.1.2.1/24\n")
	a.expect(slow, "guest: address 10.1.2.1/24")
	b.send("address 10.1.2.2/24\n")
	b.expect(slow, "guest: address 10.1.2.2/24")
	a.send("listen 80\n")
	a.expect(slow, "guest: listens on 80")
	b.send("knock 10.1.2.1:80 neighbour\n")
	b.expect(slow, `guest: knocked, "heard neighbour`)
	b.send("address " + guestAddress + "\n")
	b.expect(slow, "guest: address "+guestAddress)
	b.send("knock " + server + " host\n")
	b.expect(slow, "guest: knock failed: dial tcp "+server)

	l.killNetwork("a")
	eventually(t, slow, "a is on the segment again", func() bool {
		b, _ := os.ReadFile(l.path("state/cells/b/network.jsonl"))
		return strings.Count(string(b), `"joined"`) >= 2
	})
	b.send("knock 10.1.2.1:80 again\n")
	b.expect(slow, `guest: knocked, "heard again`)
	if out := l.must(0, "audit", "b").out; !strings.Contains(out, "network-lan-descriptors") {
		t.Errorf("the audit does not look at the switch:\n%s", out)
	}
	if after := ns.counters(); after != before {
		t.Errorf("the host's network has seen %d packets", after-before)
	}
	l.captured("b", map[string]string{"arp.src.proto_ipv4": "10.1.2.1", "tcp.dstport": "80"})

	// The same name for another user: his cells are not those of this one.
	if os.Geteuid() == 0 {
		other := newLab(t)
		other.in = ns
		holder := "the user root"
		if root {
			other.ordinary(true)
		} else {
			holder = "the user with the number " + fmt.Sprint(l.user)
		}
		other.cell("c", "accel = \"tcg\"\nnic \"lan\" {\nnetwork = \"lab\"\nsegment = \""+name+"\"\n}\n")
		other.ours()
		if r := other.skep("up", "c"); r.code == 0 || !strings.Contains(r.err, "it is in use by "+holder) {
			t.Errorf("another user's segment is shared: %s", r)
		}
		other.nothingLeft()
	}
	l.must(0, "down", "a")
	b.send("knock 10.1.2.1:80 gone\n")
	b.expect(slow, "guest: knock failed")
	l.must(0, "down", "b")
	l.nothingLeft()
	if _, err := os.Stat(l.path("run/segments")); err == nil {
		t.Error("the segment is left")
	}
}
