package provision

import (
	"encoding/json"
	"errors"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/netjob"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/tool"
	"skep/internal/unixsock"
)

// acquireNetwork starts the network of a card. QEMU need not have started: it finds the connection waiting.
func (t *linuxProvisioner) acquireNetwork(s *plan.Network) error {
	return t.keep("network:"+s.Label, theNetwork, s.Label, func() (*tool.Service, error) { return t.serveNetwork(s) })
}

// serveNetwork starts one: it gets its connection to the hypervisor, its record, and what it answers with.
func (t *linuxProvisioner) serveNetwork(s *plan.Network) (*tool.Service, error) {
	j := NetworkJob(s)
	defer func() { closeFiles(j.Files) }()
	add := adding(&j, "") // a connection, and those to a segment
	conn, err := unixsock.Dial(s.Socket)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "connect the network of card %q", s.Label)
	}
	f, err := conn.File()
	conn.Close()
	if err := add(netjob.FileNIC, f, err); err != nil {
		return nil, err
	}
	if s.Segment != "" {
		if err := t.joinSegment(s, add); err != nil {
			return nil, err
		}
	}
	return serveCard(t, s, &j, 0)
}

// acquireCapture has a process write down what passes on a tap.
func (t *linuxProvisioner) acquireCapture(s *plan.Capture) error {
	return t.keep("capture:"+s.Label, theCapture, s.Label, func() (*tool.Service, error) { return t.serveCapture(s) })
}

func (t *linuxProvisioner) serveCapture(s *plan.Capture) (*tool.Service, error) {
	sock, err := network.Listen(s.Tap)
	if err != nil {
		hint := ""
		if errors.Is(err, unix.EPERM) {
			hint = "run as root, or use a network in user space: network = \"sinkhole\""
		}
		return nil, plan.Located(t.cell, "nic."+s.Label+".capture", fault.Wrap(fault.Host, err, hint, "capture the frames of %s", s.Tap))
	}
	defer sock.Close()
	files, err := captureFiles(s.Label, s.Path)
	defer func() { closeFiles(files) }()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(netjob.Capture{Cell: t.cell.Name, NIC: s.Label, Most: int64(s.Max / 2)})
	if err != nil {
		return nil, err
	}
	j := CaptureJob(s)
	j.Args, j.Files = []string{string(text)}, append([]tool.File{{Name: netjob.CaptureSocket, File: sock}}, files...)
	return t.env.Serve(j)
}
