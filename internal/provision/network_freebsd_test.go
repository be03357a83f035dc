package provision_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"skep/internal/capture"
	"skep/internal/cell"
	"skep/internal/guestnet/guesttest"
	"skep/internal/host"
	"skep/internal/inside"
	"skep/internal/jail/freebsdjail"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/provision"
	"skep/internal/store"
	"skep/internal/tool"
	"skep/internal/worker"
)

// TestMain is also the program that a network is, and what makes a descriptor in a jail.
func TestMain(m *testing.M) {
	freebsdjail.LaunchIfAsked()
	worker.ServeIfAsked()
	tool.ServeIfAsked(inside.Table())
	os.Exit(m.Run())
}

// keeperless is an Env that starts services and notes what it is told.
type keeperless struct {
	provision.Env
	t     *testing.T
	facts host.Facts
	said  chan string
}

func (e keeperless) Serve(j tool.Job) (*tool.Service, error) { return tool.Serve(e.facts, j) }
func (e keeperless) Serving(string, *store.Service)          {}
func (e keeperless) Notify(line string)                      { e.said <- line }
func (e keeperless) Noted(line string)                       { e.said <- line }

// laid has the resources of a cell's networks acquired, and no hypervisor: the test opens its taps in its place.
func laid(t *testing.T, text string) *plan.Plan {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a network on FreeBSD takes root")
	}
	dir, err := os.MkdirTemp("/tmp", "net") // a mount's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	o := probe.Options{NoCache: true}
	o.Dirs.Run, o.Dirs.State = filepath.Join(dir, "run"), filepath.Join(dir, "state")
	facts, err := probe.Probe(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if facts.FreeBSD == nil || facts.FreeBSD.Bhyve == nil {
		t.Skip("no bhyve is on this host")
	}
	c, mistakes := cell.Parse("net.hcl", []byte(text))
	if mistakes != nil {
		t.Fatal(mistakes)
	}
	p, problems := plan.Make(c, facts)
	if p == nil {
		t.Fatal(problems)
	}
	env := keeperless{t: t, facts: facts, said: make(chan string, 100)}
	pr := provision.New(provision.Config{Cell: c, Plan: p, Env: env})
	if err := os.MkdirAll(plan.StateDir(facts, c.Name), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, r := range p.Resources {
		switch r.Spec.(type) {
		case *plan.Directory, *plan.Bridge, *plan.Stack, *plan.Tap, *plan.Network, *plan.Capture:
		default:
			continue
		}
		h, err := pr.Acquire(t.Context(), r)
		if err != nil {
			t.Fatalf("%s: %v", r.ID, err)
		}
		t.Cleanup(func() {
			if err := pr.Release(context.Background(), r, h); err != nil {
				t.Errorf("%s: %v", r.ID, err)
			}
		})
	}
	t.Cleanup(func() {
		for len(env.said) > 0 {
			t.Log(<-env.said)
		}
		if t.Failed() {
			for _, n := range plan.Specs[*plan.Network](p) {
				b, err := os.ReadFile(n.Log)
				all, inbound := frames(t, n.Capture)
				t.Logf("%s, %v; %x, %v", b, err, all, inbound)
			}
		}
	})
	return p
}

// wire is a tap as bhyve has it, with the length before each frame.
type wire struct {
	f       *os.File
	waiting []byte
}

func openTap(t *testing.T, p *plan.Plan, label string) *wire {
	t.Helper()
	r, ok := p.Find("tap:" + label)
	if !ok {
		t.Fatal("the plan has no tap for " + label)
	}
	f, err := os.OpenFile("/dev/"+r.Spec.(*plan.Tap).Name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &wire{f: f}
}

func (w *wire) Read(p []byte) (int, error) {
	if len(w.waiting) == 0 {
		b := make([]byte, 64<<10)
		fds := []unix.PollFd{{Fd: int32(w.f.Fd()), Events: unix.POLLIN}}
		for {
			if n, err := unix.Poll(fds, 100); err != nil && err != unix.EINTR {
				return 0, io.EOF
			} else if n > 0 {
				break
			}
		}
		n, err := w.f.Read(b)
		if err != nil {
			return 0, io.EOF
		}
		w.waiting = append(binary.BigEndian.AppendUint32(nil, uint32(n)), b[:n]...)
	}
	n := copy(p, w.waiting)
	w.waiting = w.waiting[n:]
	return n, nil
}

func (w *wire) Write(b []byte) (int, error) {
	if _, err := w.f.Write(b[4:]); err != nil {
		return 0, err
	}
	return len(b), nil
}

// frames are those of a capture so far, and which of them the guest was sent.
func frames(t *testing.T, base string) (all [][]byte, inbound []bool) {
	t.Helper()
	var both [2]*os.File
	for i, path := range layout.Captures(base) {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		both[i] = f
	}
	var b bytes.Buffer
	if err := capture.Copy(&b, both[0], both[1]); err != nil {
		return nil, nil
	}
	r, err := pcapgo.NewNgReader(&b, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, _, opts, err := r.ReadPacketDataWithOptions()
		if err != nil {
			return all, inbound
		}
		all = append(all, slices.Clone(data))
		inbound = append(inbound, opts.Flags != nil && opts.Flags.Direction == pcapgo.NgEpbFlagDirectionInbound)
	}
}

// waitFor waits until something is so.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatal("not seen in a minute: " + what)
}

// What a guest sends on its tap the sinkhole answers: an address, names, HTTP. All of it is recorded and captured, and the
// host's own network has no part in it.
func TestSinkholeOnATap(t *testing.T) {
	p := laid(t, `cell "sink" {
  nic "lan" {
    network = "sinkhole"
    capture = true
    dns = { "fixed.example" = "198.18.0.9" }
  }
}`)
	w := openTap(t, p, "lan")
	g := guesttest.New(t, w, net.HardwareAddr{2, 0, 0, 0, 0, 1})
	g.Lease()
	q := new(dns.Msg)
	q.SetQuestion("fixed.example.", dns.TypeA)
	text, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	a := new(dns.Msg)
	if b, err := g.Send("10.18.0.1:53", text); err != nil || a.Unpack(b) != nil || len(a.Answer) != 1 || !strings.HasSuffix(a.Answer[0].String(), "198.18.0.9") {
		t.Fatalf("%v, %v", a, err)
	}
	conn, err := g.Dial("198.18.0.9:80")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /beacon HTTP/1.0\r\nHost: fixed.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(b, []byte("HTTP/1.")) {
		t.Errorf("%q, %v", b, err)
	}
	var s *plan.Network
	for _, n := range plan.Specs[*plan.Network](p) {
		s = n
	}
	waitFor(t, "the request in the record", func() bool {
		b, _ := os.ReadFile(s.Log)
		return bytes.Contains(b, []byte("/beacon")) && bytes.Contains(b, []byte("fixed.example"))
	})
	waitFor(t, "both directions in the capture", func() bool {
		all, inbound := frames(t, s.Capture)
		return slices.Contains(inbound, true) && slices.Contains(inbound, false) &&
			slices.ContainsFunc(all, func(b []byte) bool { return bytes.Contains(b, []byte("GET /beacon")) })
	})
	// Frames that are none, and too long ones, are nobody's trouble.
	for _, n := range []int{1, 13, 14, 15, 1513, 1514} {
		_, _ = w.f.Write(make([]byte, n))
	}
	if _, err := g.Send("10.18.0.1:53", text); err != nil {
		t.Errorf("after frames of every length: %v", err)
	}
}

// A network that leads somewhere leads to what is allowed and to nothing else: its process is handed connected sockets.
func TestUserOnATap(t *testing.T) {
	own := ""
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			own = n.IP.String()
		}
	}
	if own == "" {
		t.Skip("this host has no address but its loopback's, which no guest can name")
	}
	listen := func(say string) string {
		l, err := net.Listen("tcp", own+":0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(conn, say)
				conn.Close()
			}
		}()
		return l.Addr().String()
	}
	allowed, other := listen("it leads here"), listen("it leads elsewhere")
	p := laid(t, `cell "user" {
  nic "lan" {
    network = "user"
    allow = ["`+allowed+`"]
    capture = true
  }
}`)
	g := guesttest.New(t, openTap(t, p, "lan"), net.HardwareAddr{2, 0, 0, 0, 0, 1})
	g.Lease()
	conn, err := g.Dial(allowed)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if b, err := io.ReadAll(conn); err != nil || string(b) != "it leads here" {
		t.Errorf("%q, %v", b, err)
	}
	if conn, err := g.Dial(other); err == nil {
		b, _ := io.ReadAll(conn)
		conn.Close()
		if len(b) > 0 {
			t.Errorf("it reached what is not allowed, which said %q", b)
		}
	}
}

// Frames on a tap of a bridge are captured in both directions.
func TestCaptureOnABridge(t *testing.T) {
	p := laid(t, `cell "cap" {
  nic "one" {
    bridge = "skepcap0"
    capture = true
  }
  nic "two" { bridge = "skepcap0" }
  bridge "skepcap0" { create = true }
}`)
	one, two := openTap(t, p, "one"), openTap(t, p, "two")
	frame := func(from byte, words string) []byte {
		b := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, from, 0x88, 0xb5}, words...)
		return append(b, make([]byte, 60)...)
	}
	var s *plan.Capture
	for _, c := range plan.Specs[*plan.Capture](p) {
		s = c
	}
	const sends, sent = "what the guest sends", "what it is sent"
	go func() { // who has a tap open reads what comes
		for {
			if _, err := one.Read(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}()
	waitFor(t, "both directions in the capture", func() bool {
		_, _ = one.f.Write(frame(1, sends))
		_, _ = two.f.Write(frame(2, sent))
		all, inbound := frames(t, s.Path)
		out, in := false, false
		for i, b := range all {
			switch {
			case bytes.Contains(b, []byte(sends)):
				out = true
				if inbound[i] {
					t.Errorf("what the guest sends is taken for what it is sent")
				}
			case bytes.Contains(b, []byte(sent)):
				in = true
				if !inbound[i] {
					t.Errorf("what the guest is sent is taken for what it sends")
				}
			}
		}
		return out && in
	})
}
