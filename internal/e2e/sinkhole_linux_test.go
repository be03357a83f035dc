package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"skep/internal/e2e/guestkernel"
)

// asWho runs a test as root, and again as an ordinary user, whose lab reads a kernel of its own.
func asWho(t *testing.T, f func(t *testing.T, ns *netns, l *lab, k guestkernel.Guest)) {
	k := needKernel(t)
	t.Parallel()
	for _, who := range []string{"root", "user"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			ns, l := newNetns(t), newLab(t)
			l.in = ns
			if who == "user" {
				l.ordinary(true)
			}
			f(t, ns, l, l.ownKernel(k))
		})
	}
}

// A guest on a sinkhole gets an address, finds a name that nobody has, and is answered; the host's network sees
// nothing of it, and the network goes on when its process has died.
func TestSinkhole(t *testing.T) { asWho(t, sinkhole) }

func sinkhole(t *testing.T, ns *netns, l *lab, k guestkernel.Guest) {
	l.write("page.html", "<html>sunk</html>")
	l.write("banner", "a banner\n")
	l.cell("lab", "accel = \"tcg\"\nmemory = \"192M\"\nnic \"lan\" {\nnetwork = \"sinkhole\"\ncapture = true\ncapture_size = \"8M\"\n"+
		"dns = { \"fixed.example\" = \"198.18.0.9\" }\nanswer \"http\" { file = \""+l.path("page.html")+"\" }\nanswer \"tcp-4444\" { file = \""+
		l.path("banner")+"\" }\n}\n"+kernelBlock(k))
	l.ours()
	t.Cleanup(func() {
		for _, f := range []string{"network.jsonl", "keeper.log"} {
			if b, _ := os.ReadFile(l.path("state/cells/lab/" + f)); t.Failed() {
				t.Logf("%s:\n%s", f, b)
			}
		}
	})
	ns.noBridge()
	before := ns.counters()
	l.must(0, "up", "lab")
	c := l.console("lab")
	c.expect(boot, "guest: ready")
	c.send("lease\n")
	c.expect(slow, "guest: address 10.18.0.15/24")
	c.send("lookup no.such.example\n")
	c.expect(slow, "guest: no.such.example is 198.18.1.0")
	c.send("lookup fixed.example\n")
	c.expect(slow, "guest: fixed.example is 198.18.0.9")
	c.send("fetch http no.such.example /a/beacon\n")
	c.expect(slow, `guest: fetched "HTTP/1.0 200 OK" "<html>sunk</html>"`)
	c.send("fetch https secure.example /hidden\n")
	c.expect(slow, `guest: fetched "HTTP/1.0 200 OK"`)
	c.send("mail mail.example me@example you@example words\n")
	c.expect(slow, "guest: mailed")
	c.send("knock 203.0.113.9:4444 hello there\n")
	c.expect(slow, `guest: knocked, "a banner`)

	// Its process is killed, and another one takes its place.
	l.killNetwork("lab")
	c.send("fetch http second.example /again\n")
	c.expect(slow, `guest: fetched "HTTP/1.0 200 OK"`)

	b, err := os.ReadFile(l.path("state/cells/lab/network.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]map[string]any{}
	for text := range strings.Lines(string(b)) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		kinds[line["kind"].(string)] = line
	}
	for kind, want := range map[string]string{"dhcp": "", "dns": "", "http": "second.example", "smtp": "mail.example", "tcp": ""} {
		if kinds[kind] == nil || want != "" && kinds[kind]["name"] != want {
			t.Errorf("the record has %v for %s, want the name %q", kinds[kind], kind, want)
		}
	}
	if after := ns.counters(); after != before {
		t.Errorf("the host's network has seen packets: %d, before %d", after, before)
	}
	if out := l.must(0, "audit", "lab").out; !strings.Contains(out, "network-lan-descriptors") {
		t.Errorf("the audit does not look at the network:\n%s", out)
	}
	l.captured("lab", map[string]string{"http.request.uri": "/hidden", "frame.comment": "TLS for secure.example", "dns.qry.name": "no.such.example"})
	l.must(0, "down", "lab")
	l.nothingLeft()
}

// noBridge leaves nothing but a loopback, on which nobody speaks.
func (n *netns) noBridge() {
	n.do(func() error {
		br, err := netlink.LinkByName("br0")
		if err != nil {
			return err
		}
		return netlink.LinkDel(br)
	})
}

// loopback is up from here on, and has these addresses besides.
func (n *netns) loopback(addresses ...string) {
	n.t.Helper()
	n.do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		for _, its := range addresses {
			addr, err := netlink.ParseAddr(its)
			if err == nil {
				err = netlink.AddrAdd(lo, addr)
			}
			if err != nil {
				return err
			}
		}
		return netlink.LinkSetUp(lo)
	})
}

// counters are all packets that the interfaces of the namespace have seen.
func (n *netns) counters() (packets uint64) {
	n.do(func() error {
		all, err := netlink.LinkList()
		for _, link := range all {
			if s := link.Attrs().Statistics; s != nil {
				packets += s.RxPackets + s.TxPackets
			}
		}
		return err
	})
	return packets
}

// captured writes the capture of a cell to a file and has tshark look for fields of it.
func (l *lab) captured(name string, want map[string]string) {
	l.t.Helper()
	file := l.path("all.pcapng")
	l.must(2, "capture", "--nic", "nosuch", name, file)
	l.must(0, "capture", "--nic", "lan", name, file)
	l.must(2, "capture", name, file) // it is there already
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		l.t.Log("tshark is not installed: nobody has read the capture")
		return
	}
	for field, value := range want {
		out, err := exec.Command(tshark, "-r", file, "-T", "fields", "-e", field).CombinedOutput()
		if err != nil || !strings.Contains(string(out), value) {
			l.t.Errorf("tshark finds no %s in %s: %v", value, field, err)
		}
	}
}

// networks are the processes of a cell's networks in user space.
func (l *lab) networks(name string) (pids []int) {
	keeper := fmt.Sprintf("PPid:\t%d\n", l.show(name).KeeperPID)
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		status, _ := os.ReadFile("/proc/" + e.Name() + "/status")
		args, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if strings.Contains(string(status), keeper) && bytes.Contains(args, []byte("(reader)")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killNetwork kills the network of a cell that has one card, and waits for the next.
func (l *lab) killNetwork(name string) {
	l.t.Helper()
	old := l.networks(name)
	if len(old) != 1 {
		l.t.Fatalf("%d networks", len(old))
	}
	if err := unix.Kill(old[0], unix.SIGKILL); err != nil {
		l.t.Fatal(err)
	}
	eventually(l.t, slow, "another network", func() bool {
		now := l.networks(name)
		return len(now) == 1 && now[0] != old[0]
	})
}

// A guest on a network of the user's reaches what is allowed, and nothing of its host and its neighbours.
func TestUserNetwork(t *testing.T) { asWho(t, userNetwork) }

func userNetwork(t *testing.T, ns *netns, l *lab, k guestkernel.Guest) {
	ns.loopback("169.254.169.254/32", "10.77.0.9/32", "10.18.0.1/32") // by which the host sends itself what it does
	server := ns.answer("an answer")
	// Somebody answers at each of them, but for the guest.
	refused := []string{"10.77.0.1:80", "127.0.0.2:80", "169.254.169.254:80", "10.77.0.9:80", "10.18.0.1:80"}
	ns.answerAt("0.0.0.0:80", "an answer")
	ns.do(func() error {
		for _, to := range refused {
			conn, err := net.Dial("tcp", to)
			if err != nil {
				return err
			}
			conn.Close()
		}
		return nil
	})
	l.cell("lab", "accel = \"tcg\"\nmemory = \"192M\"\nnic \"lan\" {\nnetwork = \"user\"\nallow = [\""+server+"\", \"deb.example:443\", \"0.0.0.0/0:80\"]\n}\n"+kernelBlock(k))
	l.ours()
	l.must(0, "up", "lab")
	c := l.console("lab")
	c.expect(boot, "guest: ready")
	c.send("lease\n")
	c.expect(slow, "guest: address 10.18.0.15/24")
	c.send("knock " + server + " question\n")
	c.expect(slow, `guest: knocked, "an answer to question`)
	for _, to := range refused {
		c.send("knock " + to + " question\n")
		c.expect(slow, "guest: knock failed: dial tcp "+to)
	}
	c.send("lookup other.example\n")
	c.expect(slow, "guest: lookup failed")
	if out := l.must(0, "audit", "lab").out; !strings.Contains(out, "nic.lan.allow") {
		t.Errorf("the audit does not name what is allowed:\n%s", out)
	}
	l.must(0, "down", "lab")
	l.nothingLeft()
}
