package sink

import (
	"container/list"
	"net/netip"
	"strings"
	"sync"
)

// Addresses of names: 198.18.0.0/15 is for benchmarks, and is nobody's (RFC 2544). The first 256 are for
// answers that a cell file gives.
var firstName = netip.MustParseAddr("198.18.1.0")

// mostNames is how many names have an address at a time. The one that was asked for longest ago loses its.
const mostNames = 65536

// names gives each name an address of its own.
type names struct {
	fixed map[string]netip.Addr // of the cell file

	mu     sync.Mutex
	byName map[string]*list.Element
	byAddr map[netip.Addr]*list.Element
	used   *list.List // the newest in front
	next   netip.Addr
	said   map[netip.Addr]string // the name that a fixed address was last asked for by
}

type named struct {
	name string
	addr netip.Addr
}

func newNames(fixed map[string]netip.Addr) *names {
	return &names{fixed: fixed, byName: map[string]*list.Element{}, byAddr: map[netip.Addr]*list.Element{}, used: list.New(),
		next: firstName, said: map[netip.Addr]string{}}
}

// canonical is a name as it is compared.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// of is the address of a name.
func (n *names) of(name string) netip.Addr {
	name = canonical(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	for at := name; at != ""; _, at, _ = strings.Cut(at, ".") {
		key := at
		if at != name {
			key = "*." + at
		}
		if a, ok := n.fixed[key]; ok {
			n.said[a] = name // bounded by the cell file
			return a
		}
	}
	if a, ok := n.fixed["*"]; ok {
		n.said[a] = name
		return a
	}
	if e, ok := n.byName[name]; ok {
		n.used.MoveToFront(e)
		return e.Value.(named).addr
	}
	a := n.next
	if n.used.Len() >= mostNames {
		oldest := n.used.Back()
		old := n.used.Remove(oldest).(named)
		delete(n.byName, old.name)
		delete(n.byAddr, old.addr)
		a = old.addr
	} else {
		n.next = a.Next()
	}
	e := n.used.PushFront(named{name, a})
	n.byName[name], n.byAddr[a] = e, e
	return a
}

// at is the name that an address was given for, "" for one that was not.
func (n *names) at(a netip.Addr) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e, ok := n.byAddr[a]; ok {
		return e.Value.(named).name
	}
	return n.said[a]
}
