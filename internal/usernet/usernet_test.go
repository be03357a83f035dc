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

	"skep/internal/broker"
	"skep/internal/netjob"

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
	keeper, network, err := broker.Pair()
	if err != nil {
		t.Fatal(err)
	}
	// The guest's own stack sends nothing to a loopback address, so the servers are somewhere else for it.
	away := func(a net.Addr) string { return strings.Replace(a.String(), "127.0.0.1", "203.0.113.7", 1) }
	b := broker.NewBroker(broker.NewPolicy(rules(t, away(echo.Addr()), away(datagrams.LocalAddr())+"/udp", "home.example:80", "far.example:80"), nil))
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
	text, _ := json.Marshal(netjob.User{NIC: "lan", LogMax: 1 << 20})
	n, err := begin(string(text), map[string]*os.File{netjob.FileLog: open("log"), netjob.FileLogThen: open("then"), netjob.FileBroker: network})
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
