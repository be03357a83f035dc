package broker

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// How long a connection or a name may take, and how many at a time.
const (
	dialWait = 20 * time.Second
	nameWait = 10 * time.Second
	mostAct  = 32
)

// notHanded is why a connection that was made is not had.
const notHanded = "its socket cannot be handed on"

// A Broker answers the questions of a network, in its keeper. What it reads a network has made that its guest
// may have taken over: a name or an address, which it looks up in the policy.
type Broker struct {
	// Lookup finds the addresses of a name; net.Resolver's.
	Lookup func(ctx context.Context, network, name string) ([]netip.Addr, error)

	// Dial connects; net.Dialer's.
	Dial func(network, to string) (net.Conn, error)

	policy *Policy
	mu     sync.Mutex // of the policy
	send   sync.Mutex
}

// NewBroker is one for a policy.
func NewBroker(p *Policy) *Broker {
	return &Broker{Lookup: net.DefaultResolver.LookupNetIP, Dial: (&net.Dialer{Timeout: dialWait}).Dial, policy: p}
}

// Serve answers until the network has gone.
func (b *Broker) Serve(f *os.File) {
	defer f.Close()
	var all sync.WaitGroup
	defer all.Wait()
	slots := make(chan struct{}, mostAct)
	for {
		var q Question
		fd, err := receive(f, &q)
		if fd >= 0 {
			_ = os.NewFile(uintptr(fd), "").Close() // nobody asks with one
		}
		if err != nil {
			return
		}
		slots <- struct{}{} // more than so many wait in the socket
		all.Add(1)
		go func() {
			defer func() { <-slots; all.Done() }()
			a, sock := b.act(q)
			a.ID = q.ID
			fd := -1
			if sock != nil {
				defer sock.Close()
				fd = int(sock.Fd())
				_ = unix.SetNonblock(fd, true) // the network waits for many at a time
			}
			b.send.Lock()
			defer b.send.Unlock()
			if err := send(f, a, fd); err != nil && fd >= 0 {
				_ = send(f, answer{ID: q.ID, Why: notHanded}, -1) // whoever asked waits for an answer
			}
		}()
	}
}

func (b *Broker) act(q Question) (answer, *os.File) {
	switch q.Do {
	case "name":
		return b.name(q.Name), nil
	case "tcp", "udp":
		return b.dial(q.Do, q.To)
	}
	return answer{Why: "nobody knows what that is"}, nil
}

func (b *Broker) name(name string) answer {
	b.mu.Lock()
	asks := b.policy.Asks(name)
	b.mu.Unlock()
	if !asks {
		return answer{Why: "the name is not allowed"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), nameWait)
	defer cancel()
	all, err := b.Lookup(ctx, "ip4", name)
	if err != nil {
		return answer{Why: "the name is not found"}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	some := b.policy.Led(name, all[:min(len(all), mostAddrs)])
	if len(some) == 0 {
		return answer{Why: "the name leads to the host's own networks or reserved ones"}
	}
	return answer{Addrs: some}
}

func (b *Broker) dial(network string, to netip.AddrPort) (answer, *os.File) {
	b.mu.Lock()
	why := b.policy.Allows(network == "udp", to)
	b.mu.Unlock()
	if why != "" {
		return answer{Why: why}, nil
	}
	c, err := b.Dial(network+"4", to.String())
	if err != nil {
		return answer{Why: "it cannot be reached"}, nil
	}
	defer c.Close()
	f, err := c.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return answer{Why: notHanded}, nil
	}
	return answer{}, f
}
