package sink

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skep/internal/netjob"

	"github.com/miekg/dns"

	"skep/internal/guestnet"
	"skep/internal/guestnet/guesttest"
	"skep/internal/netlog"
)

// fixture is a sinkhole with a guest.
type fixture struct {
	*guesttest.Guest
	t   testing.TB
	log string
	end chan error
}

func file(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func begin(t testing.TB, c netjob.Sinkhole, files map[string]*os.File) fixture {
	t.Helper()
	ours, theirs := net.Pipe()
	dir := t.TempDir()
	x := fixture{t: t, log: filepath.Join(dir, "log"), end: make(chan error, 1)}
	all := map[string]*os.File{netjob.FileLog: file(t, x.log), netjob.FileLogThen: file(t, x.log+".1")}
	for k, v := range files {
		all[k] = v
	}
	c.NIC = "lan"
	if c.LogMax == 0 {
		c.LogMax = 1 << 20
	}
	s, err := newSink(c, all)
	if err != nil {
		t.Fatal(err)
	}
	go func() { x.end <- s.serve(theirs) }()
	x.Guest = guesttest.New(t, ours, net.HardwareAddr{2, 0, 0, 0, 0, 1})
	t.Cleanup(func() { ours.Close(); <-x.end })
	return x
}

// lines are those of the record so far.
func (x fixture) lines() (all []netlog.Line) {
	x.t.Helper()
	b, err := os.ReadFile(x.log)
	if err != nil {
		x.t.Fatal(err)
	}
	for text := range strings.Lines(string(b)) {
		var l netlog.Line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			x.t.Fatalf("%q: %v", text, err)
		}
		all = append(all, l)
	}
	return all
}

// wait is the first line of a kind that has it.
func (x fixture) wait(kind string, has func(netlog.Line) bool) netlog.Line {
	x.t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, l := range x.lines() {
			if l.Kind == kind && has(l) {
				return l
			}
		}
	}
	x.t.Fatalf("no line of the kind %s: %+v", kind, x.lines())
	return netlog.Line{}
}

func (x fixture) lookup(name string, kind uint16) *dns.Msg {
	x.t.Helper()
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(name), kind)
	b, err := q.Pack()
	if err != nil {
		x.t.Fatal(err)
	}
	b, err = x.Send("10.18.0.1:53", b)
	if err != nil {
		x.t.Fatal(err)
	}
	a := new(dns.Msg)
	if err := a.Unpack(b); err != nil || a.Id != q.Id {
		x.t.Fatalf("%v, %v", a, err)
	}
	return a
}

func (x fixture) address(name string) string {
	x.t.Helper()
	a := x.lookup(name, dns.TypeA)
	if len(a.Answer) != 1 {
		x.t.Fatal(a)
	}
	return a.Answer[0].(*dns.A).A.String()
}

func (x fixture) dial(to string) net.Conn {
	x.t.Helper()
	c, err := x.Dial(to)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	return c
}

// A guest gets an address, finds every name, and is answered; the record has the names.
func TestGuest(t *testing.T) {
	page := file(t, filepath.Join(t.TempDir(), "page"))
	if _, err := page.WriteString("<html>sunk</html>"); err != nil {
		t.Fatal(err)
	}
	x := begin(t, netjob.Sinkhole{Host: "lab", Answers: []string{"http", "tcp-4444"}, DNS: map[string]string{"fixed.example": "198.18.0.9", "*.wild.example": "198.18.0.10"}},
		map[string]*os.File{netjob.AnswerFile("http"): page, netjob.AnswerFile("tcp-4444"): page})
	ack := x.Lease()
	if ack.YourIPAddr.String() != "10.18.0.15" || ack.HostName() != "lab" || len(ack.DNS()) != 1 {
		t.Errorf("%v", ack.Summary())
	}
	x.wait(netlog.DHCP, func(l netlog.Line) bool { return l.Type == "REQUEST" })
	one, two := x.address("one.example"), x.address("TWO.example")
	if one == two || x.address("One.Example.") != one || x.address("fixed.example") != "198.18.0.9" || x.address("a.b.wild.example") != "198.18.0.10" {
		t.Errorf("%s, %s, %s", one, two, x.address("a.b.wild.example"))
	}
	if a := x.lookup("one.example", dns.TypeAAAA); a.Rcode != 0 || len(a.Answer) != 0 {
		t.Error(a)
	}
	if a := x.lookup("one.example", dns.TypeMX); len(a.Answer) != 1 {
		t.Error(a)
	}
	c := x.dial(two + ":8081") // whatever the port
	fmt.Fprint(c, "POST /beacon?x=1 HTTP/1.1\r\nHost: two.example\r\nUser-Agent: specimen\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200") || !strings.HasSuffix(string(b), "<html>sunk</html>") {
		t.Errorf("%q, %v", b, err)
	}
	l := x.wait(netlog.HTTP, func(netlog.Line) bool { return true })
	if l.Name != "two.example" || l.Path != "/beacon?x=1" || l.Agent != "specimen" || l.First != "hello" || l.Method != "POST" {
		t.Errorf("%+v", l)
	}
	c = x.dial(one + ":4444")
	fmt.Fprint(c, "\x01binary\x1b[2J")
	if b, _ := bufio.NewReader(c).ReadString('>'); b != "<html>" {
		t.Errorf("%q", b)
	}
	c.Close()
	if l := x.wait(netlog.TCP, func(netlog.Line) bool { return true }); l.Name != "one.example" || l.First != `\x01binary\x1b[2J` || l.Bytes != 11 {
		t.Errorf("%+v", l)
	}
	go func() { _, _ = x.Send("203.0.113.5:9999", []byte("ping")) }()
	if l := x.wait(netlog.UDP, func(netlog.Line) bool { return true }); l.Dst != "203.0.113.5:9999" || l.First != "ping" {
		t.Errorf("%+v", l)
	}
}

func TestMail(t *testing.T) {
	x := begin(t, netjob.Sinkhole{}, nil)
	x.Lease()
	c := x.dial(x.address("mail.example") + ":25")
	in := bufio.NewReader(c)
	for _, s := range []struct{ say, want string }{
		{"", "220 mail.example"}, {"EHLO g", "250-"}, {"AUTH LOGIN", "334"}, {"dXNlcg==", "334"}, {"cGFzcw==", "235"}, {"MAIL FROM:<a@b>", "250"},
		{"RCPT TO:<c@d>", "250"}, {"DATA", "354"}, {"Subject: hi\r\n\r\nbody\r\n.", "250"}, {"NONSENSE", "502"}, {"QUIT", "221"},
	} {
		if s.say != "" {
			fmt.Fprintf(c, "%s\r\n", s.say)
		}
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: %v", s.say, err)
			}
			if !strings.HasPrefix(line, s.want[:3]) || len(line) > 3 && line[3] == ' ' {
				if !strings.HasPrefix(line, s.want[:3]) {
					t.Errorf("%s: %q, want %s", s.say, line, s.want)
				}
				break
			}
		}
	}
	l := x.wait(netlog.SMTP, func(l netlog.Line) bool { return l.From != "" })
	if l.From != "a@b" || len(l.To) != 1 || l.To[0] != "c@d" || !strings.Contains(l.First, "Subject: hi") || l.Name != "mail.example" {
		t.Errorf("%+v", l)
	}
}

// Frames of every wrong length and kind are nobody's, and what comes after them is served.
func TestBadFrames(t *testing.T) {
	x := begin(t, netjob.Sinkhole{}, nil)
	x.Lease()
	head := append([]byte{0x52, 0x55, 0x0a, 0x12, 0, 1, 2, 0, 0, 0, 0, 1}, 8, 0)
	good := append(append([]byte{}, head...), make([]byte, 200)...)
	copy(good[14:], []byte{0x45, 0, 0, 200, 0, 0, 0, 0, 64, 17, 0, 0, 10, 18, 0, 15, 10, 18, 0, 1, 0, 9, 0, 53, 0, 180, 0, 0})
	for n := range len(good) {
		if err := x.Frame(good[:n]); err != nil {
			t.Fatal(err)
		}
	}
	for at := range 60 {
		bad := append([]byte{}, good...)
		for _, v := range []byte{0, 0xff, 0x7f, 0x80} {
			bad[at] = v
			if err := x.Frame(bad); err != nil {
				t.Fatal(err)
			}
		}
	}
	arp := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6}, make([]byte, 40)...)
	for n := range len(arp) {
		_ = x.Frame(arp[:n])
	}
	_ = x.Frame(make([]byte, 64<<10))
	if x.address("after.example") == "" {
		t.Error("it is not served any more")
	}
	// What no hypervisor sends ends the connection.
	_ = x.Raw([]byte{0xff, 0xff, 0xff, 0xff})
	select {
	case err := <-x.end:
		x.end <- err
		if err == nil {
			t.Error("a frame of 4 GiB was taken")
		}
	case <-time.After(60 * time.Second):
		t.Error("a frame of 4 GiB is waited for")
	}
}

// A hundred thousand names have an address each in turn, and the table stays as large as it is.
func TestManyNames(t *testing.T) {
	n := newNames(nil)
	for i := range 100_000 {
		if a := n.of(fmt.Sprintf("n%d.example", i)); n.at(a) != fmt.Sprintf("n%d.example", i) {
			t.Fatalf("%d is %s, which is %q", i, a, n.at(a))
		}
	}
	if len(n.byName) != mostNames || len(n.byAddr) != mostNames || n.used.Len() != mostNames {
		t.Errorf("%d names, %d addresses", len(n.byName), len(n.byAddr))
	}
	last := netip.MustParsePrefix("198.18.0.0/15")
	if !last.Contains(n.next) {
		t.Errorf("%s is somebody's", n.next)
	}
}

// A connection that says nothing, a body that never ends, a header without end: the next guest is served.
func TestSlow(t *testing.T) {
	x := begin(t, netjob.Sinkhole{}, nil)
	x.Lease()
	at := x.address("slow.example")
	for i := range 50 {
		c := x.dial(fmt.Sprintf("%s:%d", at, 80+i))
		if i%2 == 0 {
			fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
		} else if i%3 == 0 {
			fmt.Fprint(c, "GET / HTTP/1.1\r\nX: "+strings.Repeat("y", 10000))
		}
	}
	c := x.dial(at + ":80")
	fmt.Fprint(c, "GET / HTTP/1.0\r\n\r\n")
	if b, err := io.ReadAll(c); err != nil || !strings.Contains(string(b), "200 OK") {
		t.Errorf("%q, %v", b, err)
	}
}

var _ = guestnet.Gateway
