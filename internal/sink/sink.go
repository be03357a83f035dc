// Package sink is a network that leads nowhere: it gives a guest an address, answers every name with an
// address of its own, and takes every connection. What comes is written down. It runs in a jail of its own
// with a connection to the hypervisor and the files of its record, and nothing else.
package sink

import (
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"runtime/debug"
	"time"

	"skep/internal/capture"
	"skep/internal/guestnet"
	"skep/internal/netjob"
	"skep/internal/netlog"
)

// Bounds of what a guest may have open at a time.
const (
	mostConnections = 1024
	halfOpen        = 1024
	buffer          = 64 << 10
	mtu             = 1500
	idle            = 60 * time.Second
)

// sink is one.
type sink struct {
	netjob.Sinkhole
	log     *netlog.Log
	names   *names
	host    *guestnet.Host
	slots   chan struct{}
	web     *web
	ring    *capture.Ring // nil without a capture
	ca      *authority    // nil without one
	answers map[string]*os.File
}

// Run serves until the hypervisor has gone.
func Run(arg string, files map[string]*os.File) error {
	var c netjob.Sinkhole
	if err := json.Unmarshal([]byte(arg), &c); err != nil {
		return err
	}
	if c.Memory > 0 {
		debug.SetMemoryLimit(c.Memory / 2)
	}
	s, err := newSink(c, files)
	if err != nil {
		return err
	}
	return s.serve(guestnet.Card(files, c.Frames))
}

func newSink(c netjob.Sinkhole, files map[string]*os.File) (*sink, error) {
	fixed := map[string]netip.Addr{}
	for name, to := range c.DNS {
		a, err := netip.ParseAddr(to)
		if err != nil {
			return nil, err
		}
		fixed[canonical(name)] = a
	}
	log, err := netlog.New(c.NIC, files[netjob.FileLog], files[netjob.FileLogThen], c.LogMax)
	if err != nil {
		return nil, err
	}
	s := &sink{Sinkhole: c, log: log, names: newNames(fixed), slots: make(chan struct{}, mostConnections), answers: map[string]*os.File{}}
	for _, of := range c.Answers {
		s.answers[of] = files[netjob.AnswerFile(of)]
	}
	s.web = newWeb(s)
	if c.CA != "" {
		if s.ca, err = newAuthority(c.CA, c.CAKey); err != nil {
			return nil, err
		}
	}
	if c.CaptureMax > 0 {
		s.ring, err = capture.New(c.Host, c.NIC, files[netjob.CaptureOne], files[netjob.CaptureTwo], c.CaptureMax)
	}
	return s, err
}

// serve answers a guest whose frames come and go by rw.
func (s *sink) serve(rw io.ReadWriter) error {
	port := guestnet.NewPort(rw, s.tap())
	host, err := guestnet.NewHost(port, guestnet.Config{
		MAC: guestnet.OwnMAC, MTU: mtu, Guest: guestnet.Guest, UDP: s.datagram, TCP: s.connection, HalfOpen: halfOpen, Buffer: buffer,
	})
	if err != nil {
		return err
	}
	s.host = host
	err = host.Serve()
	if s.ring != nil {
		s.ring.Lost(guestnet.Dropped(rw))
		err = errors.Join(err, s.ring.Close())
	}
	if errors.Is(err, io.EOF) {
		return nil // the hypervisor has ended
	}
	return err
}

// tap captures what passes, with the names that the sinkhole has given.
func (s *sink) tap() guestnet.Tap {
	if s.ring == nil {
		return nil
	}
	return func(d guestnet.Direction, frame []byte) {
		if d == guestnet.Out {
			if dst, ok := guestnet.Begins(frame); ok {
				if name := s.names.at(dst.Addr()); name != "" {
					s.ring.Frame(false, frame, "to "+netlog.Text(name, 253))
					return
				}
			}
		}
		s.ring.Frame(d == guestnet.In, frame)
	}
}

// datagram deals with all datagrams: the guest's network is all here.
func (s *sink) datagram(from guestnet.MAC, d guestnet.Datagram) bool {
	lease := guestnet.Lease{Guest: guestnet.Guest, Bits: 24, Gateway: guestnet.Gateway, Server: guestnet.Gateway, Host: s.Host}
	if kind, asked := s.host.DHCP(from, d, lease); asked {
		s.log.Write(netlog.Line{Kind: netlog.DHCP, Src: d.Src.String(), Type: kind, Answer: guestnet.Guest.String()})
		return true
	}
	if d.Dst.Port() == portDNS {
		if a := s.resolve(d.Data, d.Src, d.Dst); a != nil {
			s.host.SendUDP(from, d.Dst, d.Src, a)
			return true
		}
	}
	line := netlog.Line{Kind: netlog.UDP, Src: d.Src.String(), Dst: d.Dst.String(), Name: s.names.at(d.Dst.Addr()),
		First: netlog.First(d.Data), Bytes: int64(len(d.Data))}
	if f := s.answers["udp-"+port(d.Dst)]; f != nil {
		b := make([]byte, 1400)
		n, err := f.ReadAt(b, 0)
		if n > 0 && (err == nil || errors.Is(err, io.EOF)) {
			s.host.SendUDP(from, d.Dst, d.Src, b[:n])
			line.Answer = "its file"
		}
	}
	s.log.Write(line)
	return true
}
