package provision

import (
	"context"
	"os"
	"skep/internal/console"
	"sync"

	"skep/internal/plan"
	"skep/internal/store"
)

// bsdProvisioner acquires resources on FreeBSD.
//
// Every release asks the kernel for the thing itself, by a name, a path or a
// tag that is ours alone, so that it is right for what another process acquired,
// or was about to acquire, in this boot or in an earlier one.
type bsdProvisioner struct {
	config
	files   map[string]*os.File
	sockets map[string]*listener
	relays  []*relay
	kept    map[string]*kept
	visit   sync.Mutex // held while a program of ours is in the jail beside bhyve
	logs    *logs
	jid     int
	// otherBoot: what is released was acquired before the host was started again.
	otherBoot bool
	bhyve     *bhyveMachine
	workers   *workers
	unplanned *plan.Worker // the worker of a cell whose plan has none
	strange   []string     // see Found
	shown     string       // where the screen is
}

// system is this host's provisioner, for the table of kinds.
type system = *bsdProvisioner

// New returns what acquires the resources of one life of a cell.
func New(c Config) Provisioner {
	t := &bsdProvisioner{config: c.unpack(), files: map[string]*os.File{}, sockets: map[string]*listener{}, kept: map[string]*kept{}}
	t.logs = newLogs(t.trim)
	return t
}

// Sweeper releases what another process acquired.
func Sweeper(sameBoot bool) Provisioner {
	return &bsdProvisioner{config: Config{}.unpack(), otherBoot: !sameBoot, files: map[string]*os.File{}, sockets: map[string]*listener{}, kept: map[string]*kept{}, logs: newLogs(console.Trim)}
}

func (t *bsdProvisioner) Machine() Machine {
	if t.bhyve == nil {
		return nil
	}
	return t.bhyve
}

// Acquire implements Provisioner.
func (t *bsdProvisioner) Acquire(ctx context.Context, r plan.Resource) (store.Held, error) {
	k, err := row(r)
	if err != nil {
		return store.Held{}, err
	}
	return k.acquire(t, call{ctx: ctx, r: r})
}

// Release implements Provisioner.
func (t *bsdProvisioner) Release(ctx context.Context, r plan.Resource, h store.Held) error {
	k, err := row(r)
	if err != nil {
		return err
	}
	return k.release(t, call{ctx: ctx, r: r, held: h})
}

// Look implements Provisioner.
func (t *bsdProvisioner) Look(r plan.Resource, disks map[string]*os.File) []error {
	k, err := row(r)
	if err != nil {
		return []error{err}
	}
	return k.look(t, call{r: r, disks: disks})
}

func (t *bsdProvisioner) hold(name string, f *os.File) {
	if f != nil {
		t.files[name] = f
	}
}

func (t *bsdProvisioner) drop(name string) {
	if f := t.files[name]; f != nil {
		f.Close()
		delete(t.files, name)
	}
}

// show says where the screen is.
func (t *bsdProvisioner) show(address string) {
	t.shown = address
	t.env.Screen(address)
}
