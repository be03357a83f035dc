package attack

import (
	"context"
	"net"
	"net/netip"
	"os"
	"skep/internal/address"
	"skep/internal/broker"
	"skep/internal/network"
	"sync"
)

// BrokerSide is what a keeper has of a network that leads somewhere: who connects for it.
type BrokerSide struct {
	mu     sync.Mutex
	dialed []string
}

// allowedName is what the network of a drill may reach; it leads to the host itself.
const allowedName = "allowed.example"

// Serve answers the network's questions as a keeper does, but that it connects to nobody.
func (b *BrokerSide) Serve(f *os.File) error {
	rule, err := address.ParseRule(allowedName + ":443")
	if err != nil {
		return err
	}
	own, err := network.Own()
	if err != nil {
		return err
	}
	answers := broker.NewBroker(broker.NewPolicy([]address.Rule{rule}, own))
	answers.Lookup = func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.AddrFrom4([4]byte{169, 254, 169, 254})}, nil
	}
	answers.Dial = func(network, to string) (net.Conn, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.dialed = append(b.dialed, network+" "+to)
		return nil, os.ErrPermission
	}
	go answers.Serve(f)
	return nil
}

// connected is what it would have connected to.
func (b *BrokerSide) connected() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dialed
}
