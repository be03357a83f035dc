package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"github.com/vishvananda/netlink"

	"skep/internal/e2e/guestkernel"
)

// boot is how long a kernel may take to reach /init under emulation.
const boot = 60 * time.Second

func kernelBlock(k guestkernel.Guest) string {
	return fmt.Sprintf("kernel {\n image = %q\n initrd = %q\n cmdline = \"console=ttyS0 quiet panic=-1\"\n}\n", k.Image, k.Initrd)
}

// A real kernel gets what the cell file says: processors, memory, a disk whose
// bytes are the host's file, and a network through a tap on a bridge; and its
// power button works.
func TestLinuxGuest(t *testing.T) {
	k := needKernel(t)
	needTap(t)
	t.Parallel()
	ns, l := newNetns(t), newLab(t) // the lab ends its cells in the namespace, so that has to outlive it
	server := ns.answer("an answer")
	l.cell("lab", `accel = "tcg"
cpus = 2
memory = "256M"
disk "d" {
  file = "`+l.path("d.img")+`"
  size = "8M"
}
nic "lan" {
  bridge  = "br0"
  capture = true
}
`+kernelBlock(k))
	l.in = ns
	l.must(0, "up", "lab")
	tap := ""
	for name, tag := range ns.links() {
		if tag == "skep tap lab lan" {
			tap = name
		}
	}
	if tap == "" {
		t.Errorf("no interface carries the tag of the tap: %v", ns.links())
	}
	c := l.console("lab")
	c.expect(boot, "guest: ready")
	for _, want := range []string{"guest: 2 processors", "network devices: eth0 lo", "disks: vda"} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("the guest does not say %q:\n%s", want, c.out)
		}
	}
	mib := 0
	if _, after, ok := strings.Cut(c.out.String(), "processors\r\nguest: "); ok {
		_, _ = fmt.Sscanf(after, "%d MiB", &mib)
	}
	if mib < 180 || mib > 256 {
		t.Errorf("the guest has %d MiB, of 256", mib)
	}
	pattern := fmt.Sprintf("pattern %d", time.Now().UnixNano())
	c.send("write " + pattern + "\n")
	c.expect(slow, "guest: written")
	c.send("read\n")
	c.expect(slow, fmt.Sprintf("guest: read %q", pattern))
	c.send("ask " + guestAddress + " " + server + "\n")
	c.expect(slow, `guest: answer "an answer to question"`)

	var used struct {
		CPU     float64 `json:"cpu_seconds"`
		Memory  int64   `json:"memory_bytes"`
		Written int64   `json:"disk_written_bytes"`
	}
	l.try(json.Unmarshal([]byte(l.must(0, "stats", "--json", "lab").out), &used))
	if used.CPU <= 0 || used.Memory < 64<<20 || used.Written <= 0 {
		t.Errorf("it has used %+v", used)
	}

	// Whatever the tap has seen is in the capture.
	seen := ns.seen(tap)
	l.captured("lab", map[string]string{"ip.src": "10.77.0.2", "ip.dst": "10.77.0.2"})
	if n := frames(t, l.path("all.pcapng")); n < seen {
		t.Errorf("%d frames are captured, and the tap has seen %d", n, seen)
	}

	l.must(0, "down", "lab")
	if log := l.must(0, "log", "lab").out; !strings.Contains(log, "guest: power button") || !strings.Contains(log, "guest: powering off") {
		t.Errorf("down did not press the power button:\n%s", tail(log))
	}
	b, err := os.ReadFile(l.path("d.img"))
	if err != nil || !bytes.Contains(b, []byte(pattern)) || len(b) != 8<<20 {
		t.Errorf("the host's file does not hold what the guest wrote: %d bytes, %v", len(b), err)
	}
	for name, tag := range ns.links() {
		if tag != "" || name == tap {
			t.Errorf("interface %s (%s) is left", name, tag)
		}
	}
	l.nothingLeft()
}

// Without a nic block the guest has no network device, and without a disk
// block no disk. A panic of its kernel ends run with 3.
func TestLinuxGuestAlone(t *testing.T) {
	k := needKernel(t)
	t.Parallel()
	l := newLab(t)
	l.cell("alone", `accel = "tcg"
memory = "192M"
`+kernelBlock(k))
	v := l.live("run", "alone")
	v.expect(boot, "guest: network devices: lo\r\n")
	v.expect(slow, "guest: disks: \r\n")
	v.expect(slow, "guest: PCI: ")
	v.expect(slow, "guest: ready")
	if s := v.out.String(); strings.Contains(s, "0x1af4:0x1041") || strings.Contains(s, "0x1af4:0x1000") {
		t.Errorf("there is a network card on the bus:\n%s", s)
	}
	// Its reset is its own affair, and its death is not.
	v.send("reset\n")
	v.expect(boot, "guest: ready")
	v.send("panic\n")
	v.ends(slow, 3)
	if !strings.Contains(v.errs.String(), "panic") {
		t.Errorf("run does not say that the guest panicked: %s", v.errs)
	}
	l.nothingLeft()
}

// seen is how many frames an interface of the namespace has seen.
func (n *netns) seen(name string) (frames int) {
	n.do(func() error {
		link, err := netlink.LinkByName(name)
		if err == nil {
			frames = int(link.Attrs().Statistics.RxPackets + link.Attrs().Statistics.TxPackets)
		}
		return err
	})
	return frames
}

// frames is how many a capture has.
func frames(t *testing.T, path string) (n int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, err := r.ReadPacketData(); err != nil {
			return n
		}
		n++
	}
}
