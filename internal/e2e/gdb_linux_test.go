package e2e

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// A debugger reaches the stub, one after the other, sets breakpoints and lets
// go again; with wait the guest runs when it says so. The audit knows the
// socket, and nothing else is wider.
func TestDebugger(t *testing.T) {
	needCells(t)
	for _, accel := range []string{"tcg", "kvm"} {
		t.Run(accel, func(t *testing.T) {
			if accel == "kvm" {
				needKVM(t)
			}
			t.Parallel()
			l := newLab(t)
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			at := free.Addr().String()
			cell := fmt.Sprintf("accel = %q\ngdb {\n listen = %q\n wait = true\n}", accel, at)
			l.cell("g", cell)
			checkWords(t, l.must(2, "up", "g"), "have the debug stub listen on "+at+": bind: address already in use", "another port")
			free.Close()

			l.must(0, "up", "g")
			v := l.live("console", "g")
			for range 2 {
				d := debug(t, at)
				if got := d.ask("?"); !strings.HasPrefix(got, "T") {
					t.Errorf("?: %q", got)
				}
				if got := d.ask("Z1,7c00,1"); got != "OK" {
					t.Errorf("a breakpoint: %q", got)
				}
				l.audit(0, "g")
				if strings.Contains(v.out.String(), "hello from") {
					t.Error("the guest did not wait")
				}
				if got := d.ask("z1,7c00,1"); got != "OK" {
					t.Errorf("no breakpoint: %q", got)
				}
				d.conn.Close()
			}
			d := debug(t, at)
			d.say("c")
			v.expect(slow, "hello from")
			d.conn.Close()
			v.send("q")
			v.ends(slow, 0)
			eventually(t, slow, "a power-off", func() bool { return l.show("g").State == "stopped" })
			l.nothingLeft()
		})
	}
}

// A debugger speaks GDB's remote serial protocol.
type debugger struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func debug(t *testing.T, at string) *debugger {
	t.Helper()
	conn, err := net.DialTimeout("tcp", at, slow)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(slow))
	return &debugger{t, conn, bufio.NewReader(conn)}
}

func (d *debugger) say(packet string) {
	d.t.Helper()
	sum := byte(0)
	for i := range len(packet) {
		sum += packet[i]
	}
	if _, err := fmt.Fprintf(d.conn, "$%s#%02x", packet, sum); err != nil {
		d.t.Fatal(err)
	}
}

// ask is say and the answer. That the guest has stopped is told unasked as well.
func (d *debugger) ask(packet string) string {
	d.t.Helper()
	d.say(packet)
	for {
		if _, err := d.in.ReadString('$'); err != nil {
			d.t.Fatal(err)
		}
		answer, err := d.in.ReadString('#')
		if err == nil {
			_, err = fmt.Fprint(d.conn, "+")
		}
		if err != nil {
			d.t.Fatal(err)
		}
		if answer = strings.TrimSuffix(answer, "#"); packet == "?" || !strings.HasPrefix(answer, "T") {
			return answer
		}
	}
}
