package provision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"skep/internal/bpf"
	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/jail/freebsdjail"
	"skep/internal/jailparam"
	"skep/internal/netjob"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/tool"
)

// rightsFrames are those of bpf(4) that is bound already. Of ioctl(2) it may ask how many frames were lost.
const rightsFrames = "read event fcntl fstat ioctl"

// acquireStack makes a network stack without an interface but a loopback that is down.
func acquireStack(s *plan.Stack) error {
	cannot := func(err error) error {
		return fault.Wrap(fault.Jail, err, "a kernel with options VIMAGE, and skep on the host itself, as root", "make the network stack %s", s.Jail)
	}
	if err := nameIsFree(s.Prison()); err != nil {
		return err
	}
	jid, err := freebsdjail.CreatePrison(s.Params(true))
	if err != nil {
		return cannot(err)
	}
	err = freebsdjail.Quiet(jid)
	if err == nil {
		err = freebsdjail.UpdatePrison(jid, jailparam.Bool("allow.suser", false))
	}
	if err != nil {
		return cannot(errors.Join(err, freebsdjail.RemovePrison(jid)))
	}
	return nil
}

// stackOf is the number of the jail with a network stack, and a way to make a socket there.
func stackOf(name string) (jid int, socket func() (int, error), err error) {
	p, found, err := ours((&plan.Stack{Jail: name}).Prison())
	if err == nil && (!found || p.Dying) {
		err = fmt.Errorf("the jail %s: %w", name, freebsdjail.ErrNoPrison)
	}
	return p.JID, func() (int, error) { return freebsdjail.Socket(p.JID) }, err
}

// acquireStackTap makes a tap and puts it into a network stack of its own before anything can be sent on it.
func acquireStackTap(s *plan.Tap) error {
	jid, socket, err := stackOf(s.Stack)
	if err == nil {
		err = network.OpenTapIn(s.Name, s.Tag, jid, socket)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, network.ErrForeign):
		return fault.Wrap(fault.Host, err, "ifconfig "+s.Name+" shows whose it is", "give network card %q a tap", s.Label)
	}
	return fault.Wrap(fault.Host, err, "kldload if_tuntap", "give network card %q a tap", s.Label)
}

// releaseTap removes a tap of ours, in whichever stack it is.
func releaseTap(s *plan.Tap) error {
	if s.Admin {
		return nil
	}
	if s.Stack != "" {
		jid, _, err := stackOf(s.Stack)
		if err == nil {
			err = network.Reclaim(s.Name, jid)
		}
		if err != nil && !errors.Is(err, freebsdjail.ErrNoPrison) {
			return err
		}
	}
	return network.DropTap(s.Name, s.Tag)
}

// upTap brings a tap of ours up again.
func upTap(s *plan.Tap) error {
	if s.Stack == "" {
		return network.Up(s.Name)
	}
	_, socket, err := stackOf(s.Stack)
	if err != nil {
		return err
	}
	return network.UpIn(s.Name, socket)
}

// acquireNetwork starts the network of a card.
func (t *bsdProvisioner) acquireNetwork(s *plan.Network) error {
	return t.keepUntil("network:"+s.Label, theNetwork, s.Label, func(until tool.File) (*tool.Service, error) { return t.serveNetwork(s, until) })
}

// keepUntil keeps a service that ends when a pipe hangs up.
func (t *bsdProvisioner) keepUntil(id, what, label string, serve func(tool.File) (*tool.Service, error)) error {
	var held *os.File
	err := t.keep(id, what, label, func() (*tool.Service, error) {
		// Not os.Pipe, whose ends do not block: who may not set a descriptor's flags cannot have it block.
		var ends [2]int
		if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
			return nil, err
		}
		until, hang := os.NewFile(uintptr(ends[0]), netjob.FileUntil), os.NewFile(uintptr(ends[1]), "hang")
		defer until.Close()
		service, err := serve(tool.File{Name: netjob.FileUntil, File: until, Rights: "read event fcntl fstat"})
		if err != nil {
			hang.Close()
			return nil, err
		}
		if held != nil {
			held.Close()
		}
		held = hang
		return service, nil
	})
	if err == nil {
		t.kept[what+label].hang = func() { held.Close() }
	}
	return err
}

// prisonOf is the jail of what serves a card: the same for each that is started in turn.
func prisonOf(s *plan.Worker) (*tool.Prison, error) {
	jid, err := haveWorkerJail(s)
	if err != nil {
		return nil, err
	}
	p := &tool.Prison{JID: jid, UID: s.UID, GID: s.GID}
	for _, l := range s.Rlimits {
		p.Limits = append(p.Limits, jail.Limit{Name: l.Name, Value: l.Value})
	}
	return p, nil
}

// frames is bpf(4) as a service is handed it, and the size of its buffer in the kernel.
func frames(name, rights string, f *os.File) (tool.File, int, error) {
	size, err := bpf.Size(f)
	return tool.File{Name: name, File: f, Rights: rights, Ioctls: []uint64{bpf.Statistics}}, size, err
}

func (t *bsdProvisioner) serveNetwork(s *plan.Network, until tool.File) (*tool.Service, error) {
	j := NetworkJob(s)
	defer func() {
		for _, f := range j.Files {
			if f.Name != netjob.FileUntil {
				f.File.Close()
			}
		}
	}()
	jid, _, err := stackOf(s.Stack)
	if err != nil {
		return nil, err
	}
	nic, err := freebsdjail.Frames(jid, s.Tap)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "connect the network of card %q", s.Label)
	}
	card, size, err := frames(netjob.FileNIC, rightsFrames+" write", nic)
	j.Files = append(j.Files, card, until)
	if err == nil {
		j.Prison, err = prisonOf(s.Process)
	}
	if err != nil {
		return nil, err
	}
	return serveCard(t, s, &j, size)
}

func (t *bsdProvisioner) releaseNetwork(ctx context.Context, s *plan.Network) error {
	t.end(theNetwork, s.Label, networkGrace)
	return dropServiceJail(ctx, s.Process)
}

// dropServiceJail is dropWorkerJail for a spec that may have none.
func dropServiceJail(ctx context.Context, s *plan.Worker) error {
	if s == nil {
		return nil
	}
	return dropWorkerJail(ctx, s)
}

// acquireCapture has a process write down what passes on a tap.
func (t *bsdProvisioner) acquireCapture(s *plan.Capture) error {
	return t.keepUntil("capture:"+s.Label, theCapture, s.Label, func(until tool.File) (*tool.Service, error) { return t.serveCapture(s, until) })
}

func (t *bsdProvisioner) serveCapture(s *plan.Capture, until tool.File) (*tool.Service, error) {
	files, err := captureFiles(s.Label, s.Path)
	defer func() { closeFiles(files) }()
	if err != nil {
		return nil, err
	}
	c := netjob.Capture{Cell: t.cell.Name, NIC: s.Label, Most: int64(s.Max / 2)}
	for name, see := range map[string]bpf.Direction{netjob.CaptureOut: bpf.In, netjob.CaptureIn: bpf.Out} {
		f, err := bpf.Open(s.Tap, see)
		if err != nil {
			return nil, plan.Located(t.cell, "nic."+s.Label+".capture", fault.Wrap(fault.Host, err, "", "capture the frames of %s", s.Tap))
		}
		seen, size, err := frames(name, rightsFrames, f)
		files = append(files, seen)
		if err != nil {
			return nil, err
		}
		c.Frames = size
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	j := CaptureJob(s)
	if j.Prison, err = prisonOf(s.Process); err != nil {
		return nil, err
	}
	j.Args, j.Files = []string{string(text)}, append(files, until)
	return t.env.Serve(j)
}

func (t *bsdProvisioner) releaseCapture(ctx context.Context, s *plan.Capture) error {
	t.end(theCapture, s.Label, networkGrace)
	return dropServiceJail(ctx, s.Process)
}
