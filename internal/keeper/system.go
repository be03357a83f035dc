package keeper

import (
	"net"

	"skep/internal/plan"
	"skep/internal/process"
	"skep/internal/provision"
	"skep/internal/unixsock"
)

// system is all of this host that a keeper uses.
type system struct {
	provisioner func(provision.Config) provision.Provisioner
	// sweeper releases what a dead keeper had acquired.
	sweeper  func(sameBoot bool) provision.Provisioner
	slotBusy func(*plan.Plan) bool
	lives    func(pid int, start uint64) bool
	listen   func(path string) (net.Listener, error)
	// listenToAll and peer are of the socket for other users.
	listenToAll func(path string) (net.Listener, error)
	peer        func(net.Conn) (unixsock.Cred, bool)
	// crash is called at each named point; see crashPoint.
	crash func(step, id string)
}

// thisHost is the real one. Tests of the keeper have another, in which nothing is real.
var thisHost = system{
	provisioner: provision.New,
	sweeper:     provision.Sweeper,
	slotBusy:    provision.SlotBusy,
	lives:       process.Lives,
	listen:      func(path string) (net.Listener, error) { return unixsock.Listen(path) },
	listenToAll: listenToAll,
	peer:        peerOf,
	crash:       crashAt,
}
