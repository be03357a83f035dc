// Package provision acquires and releases the resources of a plan on this host: taps, disks, jails,
// hypervisors. It knows nothing of the life of a cell: when what is acquired, and what follows an end,
// is the keeper's to decide, and of the keeper it sees an Env.
package provision

import (
	"context"
	"errors"
	"os"

	"skep/internal/cell"
	"skep/internal/hypervisor"
	"skep/internal/input"
	"skep/internal/jail"
	"skep/internal/plan"
	"skep/internal/store"
	"skep/internal/tool"
)

// The IDs and names of resources that are known to more than the table of kinds.
const (
	HypervisorID = "hypervisor"
	VMID         = "vm"
	WorkerID     = "worker"
	// ControlSocket is the name of the socket that the keeper itself listens on.
	ControlSocket = "control"
)

// Provisioner acquires and releases resources on one system. It keeps the descriptors of what it has
// acquired until the hypervisor has them.
type Provisioner interface {
	// Acquire has the resource afterwards, or an error and nothing.
	Acquire(ctx context.Context, r plan.Resource) (store.Held, error)
	// Release lets go of a resource. It also works for one that another process has acquired, or was
	// about to; one that is gone is no error.
	Release(ctx context.Context, r plan.Resource, h store.Held) error
	// Look says beforehand what of a resource the cell file names wrongly. What it opens for that, a
	// lock or an address among it, it lets go of at once. The disks are those that were opened on the
	// way, by label; they are the caller's to close.
	Look(r plan.Resource, disks map[string]*os.File) []error
	// Adopt takes over a live hypervisor with everything that its dead keeper had acquired. A guest that
	// was suspended stays paused; one that was paused for somebody who has hung up since goes on.
	Adopt(ctx context.Context, open []store.Outstanding, st store.State) error
	// Machine is the live hypervisor once its resource is acquired, nil before.
	Machine() Machine
	// Fixture hands act what would be started now that all resources but the hypervisor are acquired;
	// started is called with each process that is.
	Fixture(ctx context.Context, last plan.Resource, started func(store.Held) error, act func(context.Context, Fixture) error) error
}

// Searcher is a Provisioner that finds, while it releases a cell, what no plan names: the work of somebody
// who took over the hypervisor or what loads its guest.
type Searcher interface {
	// Found says what it was, a sentence each; all of it is gone again.
	Found() []string
}

// Found is what a provisioner has found.
func Found(p Provisioner) []string {
	if s, ok := p.(Searcher); ok {
		return s.Found()
	}
	return nil
}

// Machine is a live hypervisor.
type Machine interface {
	// Process identifies it on the host.
	Process() (pid int, start uint64)
	// Record is what the launcher did of the jail.
	Record() jail.Record
	// Counted says what it can still access.
	Counted() *store.Reach
	// Run lets the guest execute its first instruction.
	Run(ctx context.Context) error
	// Events delivers resets, and then one end.
	Events() <-chan Event
	PowerButton(ctx context.Context) error
	// IOErrors delivers the last that a disk has failed the guest; nil where the
	// hypervisor tells nobody but the guest.
	IOErrors() <-chan hypervisor.Event
	// Refusals are the calls that its filter has refused it so far. Refused is ready when there are more,
	// and nil where nobody counts them.
	Refusals() jail.Refusals
	Refused() <-chan struct{}
	// Resume lets a guest go on that such an error has paused.
	Resume(ctx context.Context) error
	// Pause has the guest stand still, its writes out of the hypervisor; ran says
	// whether it was running.
	Pause(ctx context.Context) (ran bool, err error)
	// Unpause lets it go on.
	Unpause(ctx context.Context) error
	// Reset starts the guest over after it has reset itself.
	Reset(ctx context.Context) error
	// Kill ends the hypervisor at once; the end comes as an event.
	Kill()
	// Snapshot saves disks and memory by a tag, goes back to them or forgets them:
	// "snapshot-save", "snapshot-load", "snapshot-delete".
	Snapshot(ctx context.Context, do, tag string) error
	// Worker is who speaks with the hypervisor now, and what the launcher did of its jail; nil where the keeper
	// does so itself. WorkerChanged is ready when that is another one.
	Worker() (*store.Worker, *jail.Record)
	WorkerChanged() <-chan struct{}
	// Freeze has the guest stand still for good and writes its memory and the state of its devices into the
	// template that it was started for.
	Freeze(ctx context.Context) error
	// Input has keyboard and pointer do something. A place that is not on the screen is refused before.
	Input(ctx context.Context, steps []input.Step) error
	// Dump writes the guest's memory to a file or a pipe, as package memdump reads it. The guest stands still
	// meanwhile.
	Dump(ctx context.Context, format string, w *os.File) error
	// ChangeMedium puts the image at that path into a drive, or leaves it empty where path is "".
	ChangeMedium(ctx context.Context, label, path string) error
	// Grow makes a disk larger while the guest runs; bound is what its files may become now, where that had
	// to be raised.
	Grow(ctx context.Context, label string, size cell.Size) (bound uint64, err error)
	// Screenshot is a PNG of the screen.
	Screenshot(ctx context.Context) (Picture, error)
}

// Picture is a PNG: in a file without a name, which is the caller's, or where there is none as bytes.
type Picture struct {
	File  *os.File
	Bytes []byte
}

// Event is something that the guest or its hypervisor did.
type Event struct {
	Reset bool
	End   hypervisor.End // where Reset is false
	// Untouched: the guest had not changed a disk yet.
	Untouched bool
}

// Env is all that a provisioner may ask of its keeper.
type Env interface {
	// Notify says one line to a person.
	Notify(line string)
	// Begun records what a resource holds while it is still being acquired.
	Begun(id string, h store.Held) error
	// Process records the hypervisor that runs now, where a reset has made another one.
	Process(m Machine)
	// Ending says that the guest has ended, while its hypervisor is still there to be looked at.
	Ending()
	// Viewer says that somebody looks at the screen, and from where.
	Viewer(from string)
	// Noted says one line to a person, and has it among the cell's events. It may be called from any goroutine.
	Noted(line string)
	// Screen publishes where the screen is shown.
	Screen(address string)
	// Had says whether the guest has had a disk in an earlier life, to write to.
	Had(d *plan.Disk) bool
	// SaysRaw says whether the cell file itself calls a disk raw, or has no word
	// for what else it could be.
	SaysRaw(d *plan.Disk) bool
	// ReadTables follows the tables of a qcow2 image, as disk.Cut does, in a jail.
	ReadTables(image *os.File, size int64) (at uint64, cut bool, err error)
	// Serve starts a network in user space, in a jail.
	Serve(j tool.Job) (*tool.Service, error)
	// Serving says who a service of a resource is now; nil where there is none any more. It may be called from
	// any goroutine.
	Serving(id string, s *store.Service)
	// StopAsked says whether somebody has asked for the cell's end, and who.
	StopAsked() (who string, asked bool)
}

// Config is what a provisioner is made with.
type Config struct {
	Cell *cell.Cell
	Plan *plan.Plan
	Env  Env
	// FirstClient: somebody connects to the console before the guest runs.
	FirstClient bool
}

// config is a Config in which nothing has to be asked for.
type config struct {
	cell        *cell.Cell
	plan        *plan.Plan
	env         Env
	firstClient bool
}

func (c Config) unpack() config {
	if c.Env == nil {
		c.Env = nobody{}
	}
	return config{c.Cell, c.Plan, c.Env, c.FirstClient}
}

// nobody is the Env of a sweep.
type nobody struct{}

func (nobody) Notify(string)                  {}
func (nobody) Begun(string, store.Held) error { return nil }
func (nobody) Process(Machine)                {}
func (nobody) Screen(string)                  {}
func (nobody) Viewer(string)                  {}
func (nobody) Noted(string)                   {}
func (nobody) Ending()                        {}
func (nobody) Had(*plan.Disk) bool            { return false }
func (nobody) SaysRaw(*plan.Disk) bool        { return false }
func (nobody) ReadTables(*os.File, int64) (uint64, bool, error) {
	return 0, false, nil // a sweep opens none
}
func (nobody) Serve(tool.Job) (*tool.Service, error) { return nil, errors.ErrUnsupported }
func (nobody) Serving(string, *store.Service)        {}
func (nobody) StopAsked() (string, bool)             { return "", false }

// planSocket is the path of one of the plan's sockets.
func planSocket(p *plan.Plan, name string) string {
	for _, s := range plan.Specs[*plan.Socket](p) {
		if s.Name == name {
			return s.Path
		}
	}
	return ""
}

// HintFull is the hint for a directory of skep's own that takes no more.
const HintFull = "df shows how full it is; SKEP_RUN_DIR and SKEP_STATE_DIR name other directories"
