package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// netns is a network namespace of a test's own, with a bridge br0 in it.
type netns struct {
	t testing.TB
	f *os.File
}

const (
	hostAddress  = "10.77.0.1/24"
	guestAddress = "10.77.0.2/24"
)

func newNetns(t testing.TB) *netns {
	t.Helper()
	n := &netns{t: t}
	n.locked(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		var err error
		if n.f, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
		if err := netlink.LinkAdd(br); err != nil {
			return err
		}
		addr, err := netlink.ParseAddr(hostAddress)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(br, addr); err != nil {
			return err
		}
		return netlink.LinkSetUp(br)
	})
	t.Cleanup(func() { n.f.Close() })
	return n
}

// locked runs f on a thread of its own that ends with it, so that no other
// goroutine ever finds itself in another namespace.
func (n *netns) locked(f func() error) {
	n.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		done <- f()
	}()
	if err := <-done; err != nil {
		n.t.Fatal(err)
	}
}

// do runs f in the namespace; what it starts or opens stays there.
func (n *netns) do(f func() error) {
	n.t.Helper()
	n.locked(func() error {
		if err := unix.Setns(int(n.f.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
}

// links lists the interfaces with their tags.
func (n *netns) links() (names map[string]string) {
	names = map[string]string{}
	n.do(func() error {
		all, err := netlink.LinkList()
		for _, l := range all {
			names[l.Attrs().Name] = l.Attrs().Alias
		}
		return err
	})
	return names
}

// answer serves one question after another and returns its address.
func (n *netns) answer(text string) string {
	n.t.Helper()
	ip, _, _ := net.ParseCIDR(hostAddress)
	return n.answerAt(net.JoinHostPort(ip.String(), "0"), text)
}

func (n *netns) answerAt(address, text string) string {
	n.t.Helper()
	var l net.Listener
	n.do(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	n.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				q, _ := bufio.NewReader(c).ReadString('\n')
				fmt.Fprintf(c, "%s to %s", text, q)
			}()
		}
	}()
	return l.Addr().String()
}
