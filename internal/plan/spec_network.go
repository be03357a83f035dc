package plan

import (
	"cmp"
	"path/filepath"
	"strconv"

	"skep/internal/cell"
	"skep/internal/hypervisor"
	"skep/internal/layout"
)

// Network is a network in user space that a card of the guest's is on: a process in a jail of its own, which
// ends with its keeper. Its connection to the hypervisor is the cell's socket of that card.
type Network struct {
	Label   string            `json:"label"`
	Mode    string            `json:"mode"` // as the cell file has it: "sinkhole"
	Socket  string            `json:"socket"`
	Log     string            `json:"log"` // what the guest did on it
	LogMax  cell.Size         `json:"log_max"`
	Allow   []string          `json:"allow,omitempty"`
	DNS     map[string]string `json:"dns,omitempty"`
	Answers []cell.Answer     `json:"answers,omitempty"`
	CA      string            `json:"ca,omitempty"` // the certificate of its authority; its key lies beside it
	// Capture is what the names of the two files of a capture begin with, and CaptureMax the size of both.
	Capture    string    `json:"capture,omitempty"`
	CaptureMax cell.Size `json:"capture_max,omitempty"`
	// Segment is what cells of one user share, and Join the socket by which others on it find this one.
	Segment string `json:"segment,omitempty"`
	Join    string `json:"join,omitempty"`
	// Tap, Stack and Process are of FreeBSD, where there is no Socket: the tap of the card, the jail whose network
	// stack that is in, and the jail of the process.
	Tap     string  `json:"tap,omitempty"`
	Stack   string  `json:"stack,omitempty"`
	Process *Worker `json:"process,omitempty"`
}

// Kind implements Spec.
func (*Network) Kind() Kind { return KindNetwork }

// Take implements Spec.
func (n *Network) Take() []string {
	lines := []string{": >> " + quote(n.Log)}
	for _, a := range n.Answers {
		lines = append(lines, command("test", "-r", a.File))
	}
	if n.Capture != "" {
		for _, f := range layout.Captures(n.Capture) {
			lines = append(lines, ": >> "+quote(f))
		}
	}
	if n.Join != "" {
		lines = append(lines, command("nc", "-lkU", n.Join)+" &")
	}
	if n.Process != nil {
		return append(append(lines, n.Process.enclose()...), "# as user "+strconv.Itoa(n.Process.UID)+" in that jail, in capability mode: a "+n.Mode+
			" of skep's, with bpf(4) bound to "+n.Tap+" in "+n.Stack)
	}
	return append(lines, command("nc", "-U", n.Socket)+"  # a "+n.Mode+" of skep's, in a jail of its own")
}

// Release implements Spec.
func (n *Network) Release() []string {
	if n.Process != nil {
		return n.Process.Release()
	}
	if n.Join == "" {
		return nil
	}
	return []string{command("rm", "-f", n.Join)}
}

// NetLogMax is how large each of the two files of a network's record may become.
const NetLogMax = 8 * cell.MiB

// NetworkOf is the network of a card, as a plan has it.
func (b *builder) networkOf(n cell.NIC, at int, first bool) *Network {
	log := layout.NetworkLog
	if !first {
		log = layout.NetworkLogOf(n.Label)
	}
	s := &Network{Label: n.Label, Mode: n.Network, Log: b.kept(log), LogMax: NetLogMax, DNS: n.DNS, Answers: n.Answers,
		Allow: n.Allow}
	if b.host.OS == onFreeBSD {
		s.Tap, s.Stack = b.tapName(at), StackJail(b.cell.Name)
		s.Process = b.serviceJail("network", n.Label, s.Tap, at, 1<<10, max(s.LogMax, n.CaptureSize/2))
	} else {
		s.Socket = b.cardSocket(n)
	}
	if n.Network == cell.NetworkSinkhole {
		s.CA = b.kept(layout.SinkholeCA)
	}
	if n.Network == cell.NetworkLab {
		s.Segment = cmp.Or(n.Segment, cell.DefaultSegment)
		s.Join = b.host.Dirs.SegmentJoin(s.Segment, b.cell.Name, n.Label)
	}
	if n.Capture {
		s.Capture, s.CaptureMax = b.kept(layout.CaptureOf(n.Label)), CaptureSize(n)
	}
	return s
}

// CaptureSize is how large a card's capture may become.
func CaptureSize(n cell.NIC) cell.Size {
	if n.CaptureSize > 0 {
		return n.CaptureSize
	}
	return 64 * cell.MiB
}

// Capture is a process in a jail of its own that writes down every frame of a card on a tap.
type Capture struct {
	Label   string    `json:"label"`
	Tap     string    `json:"tap"`
	Path    string    `json:"path"` // what the names of its two files begin with
	Max     cell.Size `json:"max"`
	Process *Worker   `json:"process,omitempty"` // its jail on FreeBSD
}

// Kind implements Spec.
func (*Capture) Kind() Kind { return KindCapture }

// Take implements Spec.
func (c *Capture) Take() []string {
	files := layout.Captures(c.Path)
	lines := []string{}
	if c.Process != nil {
		lines = append(c.Process.enclose(), "# as user "+strconv.Itoa(c.Process.UID)+" in that jail, in capability mode, with bpf(4) bound to "+c.Tap+":")
	}
	return append(lines, command("dumpcap", "-i", c.Tap, "-b", "files:2", "-b", "filesize:"+strconv.FormatInt(int64(c.Max)/2000, 10), "-w", files[0])+" &")
}

// Release implements Spec.
func (c *Capture) Release() []string {
	if c.Process != nil {
		return c.Process.Release()
	}
	return []string{"kill %%"}
}

// captures adds what writes down the frames of cards on taps.
func (b *builder) captures() {
	taps := map[string]*Tap{}
	for _, t := range Specs[*Tap](b.plan) {
		taps[t.Label] = t
	}
	for i, n := range b.cell.NICs {
		if t := taps[n.Label]; n.Capture && t != nil && !n.UserSpace() {
			s := &Capture{Label: n.Label, Tap: t.Name, Path: b.kept(layout.CaptureOf(n.Label)), Max: CaptureSize(n)}
			if b.host.OS == onFreeBSD {
				s.Process = b.serviceJail("capture", n.Label, s.Tap, i, 0, s.Max/2)
			}
			b.add("capture:"+n.Label, "nic."+n.Label+".capture", "writes down every frame of card "+n.Label, s)
		}
	}
}

// cardSocket is where QEMU listens for the network of a card.
func (b *builder) cardSocket(n cell.NIC) string {
	return filepath.Join(RunDir(b.host, b.cell.Name), layout.Socket("nic-"+n.Label))
}

// userNetworks adds the networks in user space, each with the socket of its card.
func (b *builder) userNetworks() {
	first := true
	for i, n := range b.cell.NICs {
		if !n.UserSpace() {
			continue
		}
		at := "nic." + n.Label
		if b.host.OS == onLinux {
			b.add("socket:net-"+n.Label, at+".network", "where the network of card "+n.Label+" connects to QEMU; bound outside, so that another one can",
				&Socket{Name: hypervisor.FDNet(n.Label), Path: b.cardSocket(n)})
		}
		why := "answers all that the guest asks for, and leads nowhere; network card " + strconv.Itoa(i)
		switch n.Network {
		case cell.NetworkUser:
			why = "leads to what the cell file allows; its keeper connects, and hands it the sockets"
		case cell.NetworkLab:
			why = "leads to the other cells on its segment, and to nobody else"
		}
		b.add("network:"+n.Label, at+".network", why, b.networkOf(n, i, first))
		first = false
	}
}
