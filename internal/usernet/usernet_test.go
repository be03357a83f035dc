package usernet

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"skep/internal/address"
	"skep/internal/guestnet/guesttest"
)

func rules(t *testing.T, all ...string) (out []address.Rule) {
	t.Helper()
	for _, s := range all {
		r, err := address.ParseRule(s)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// What is not allowed is refused, and no name and no larger network leads to the host or its neighbours.
func TestPolicy(t *testing.T) {
	p := NewPolicy(rules(t, "deb.example:443", "*.below.example:*", "192.0.2.0/24:53/udp", "0.0.0.0/0:8080", "10.9.0.7:22", "evil.example:443"),
		[]netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")})
	for name, want := range map[string]bool{"deb.example": true, "DEB.example.": true, "x.below.example": true, "below.example": false, "other.example": false, "192.0.2.1": false} {
		if p.Asks(name) != want {
			t.Errorf("%s may be asked for: %v", name, !want)
		}
	}
	led := func(name string, a ...string) (n int) {
		var all []netip.Addr
		for _, s := range a {
			all = append(all, netip.MustParseAddr(s))
		}
		return len(p.Led(name, all))
	}
	if led("deb.example", "203.0.113.1", "127.0.0.1", "169.254.169.254", "198.51.100.9", "10.0.0.1", "::1", "::ffff:127.0.0.1") != 1 {
		t.Error("a name has led to the host, a neighbour or a cloud's addresses")
	}
	led("x.below.example", "203.0.113.2")
	for to, want := range map[string]bool{
		"203.0.113.1:443": true, "203.0.113.1:80": false, "203.0.113.2:443": true, "203.0.113.2:1": true, "203.0.113.3:443": false,
		"192.0.2.9:53": false, "203.0.113.9:8080": true, "127.0.0.1:8080": false, "169.254.169.254:8080": false, "198.51.100.3:8080": false,
		"10.9.0.7:22": true, "10.9.0.8:22": false, "10.9.0.7:23": false, "0.0.0.0:8080": false, "255.255.255.255:8080": false,
	} {
		if got := p.Allows(false, netip.MustParseAddrPort(to)); (got == "") != want {
			t.Errorf("%s: %q", to, got)
		}
	}
	if p.Allows(true, netip.MustParseAddrPort("192.0.2.9:53")) != "" || p.Allows(true, netip.MustParseAddrPort("203.0.113.1:443")) == "" {
		t.Error("UDP and TCP are one")
	}
}

func TestRules(t *testing.T) {
	for _, bad := range []string{"", ":1", "a", "a:", "a:0", "a:65536", "a:http", "a b:1", "a..b:1", "192.0.2.1/24:1", "[::1]:1", "::1:1", "*:1", "a:1/sctp"} {
		if r, err := address.ParseRule(bad); err == nil {
			t.Errorf("%q is %+v", bad, r)
		}
	}
}

// A guest reaches what is allowed, in both directions and as much as there is, and nothing else.
func TestGuest(t *testing.T) {
	echo, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	datagrams, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer datagrams.Close()
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := datagrams.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = datagrams.WriteTo(b[:n], from)
		}
	}()
	keeper, network, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	// The guest's own stack sends nothing to a loopback address, so the servers are somewhere else for it.
	away := func(a net.Addr) string { return strings.Replace(a.String(), "127.0.0.1", "203.0.113.7", 1) }
	b := NewBroker(NewPolicy(rules(t, away(echo.Addr()), away(datagrams.LocalAddr())+"/udp", "home.example:80", "far.example:80"), nil))
	dial := b.Dial
	b.Dial = func(network, to string) (net.Conn, error) {
		return dial(network, strings.Replace(to, "203.0.113.7", "127.0.0.1", 1))
	}
	b.Lookup = func(_ context.Context, _, name string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr(map[string]string{"home.example": "127.0.0.1", "far.example": "203.0.113.5"}[name])}, nil
	}
	go b.Serve(keeper)
	dir := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ours, theirs := net.Pipe()
	text, _ := json.Marshal(Config{NIC: "lan", LogMax: 1 << 20})
	n, err := begin(string(text), map[string]*os.File{FileLog: open("log"), FileLogThen: open("then"), FileBroker: network})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = n.serve(theirs) }()
	g := guesttest.New(t, ours, net.HardwareAddr{2, 0, 0, 0, 0, 1})
	defer ours.Close()
	g.Lease()
	c, err := g.Dial(away(echo.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	much := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	go func() {
		_, _ = io.WriteString(c, much)
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
	}()
	if got, err := io.ReadAll(c); err != nil || string(got) != much {
		t.Errorf("%d bytes of %d came back: %v", len(got), len(much), err)
	}
	if got, err := g.Send(away(datagrams.LocalAddr()), []byte("ping")); err != nil || string(got) != "ping" {
		t.Errorf("%q, %v", got, err)
	}
	for _, to := range []string{"203.0.113.7:1", "169.254.169.254:80", "203.0.113.5:443", "10.18.0.1:80"} {
		if c, err := g.Dial(to); err == nil {
			c.Close()
			t.Errorf("it reaches %s", to)
		}
	}
	for name, want := range map[string]int{"far.example.": 1, "home.example.": 0, "other.example.": 0} {
		q := new(dns.Msg)
		q.SetQuestion(name, dns.TypeA)
		text, _ := q.Pack()
		text, err := g.Send("10.18.0.1:53", text)
		a := new(dns.Msg)
		if err != nil || a.Unpack(text) != nil || len(a.Answer) != want {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
	if log, _ := os.ReadFile(filepath.Join(dir, "log")); !strings.Contains(string(log), "reserved") || !strings.Contains(string(log), `"kind":"tcp"`) {
		t.Errorf("the record:\n%s", log)
	}
}
