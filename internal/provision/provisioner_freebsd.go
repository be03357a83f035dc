package provision

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"skep/internal/jail"
	"skep/internal/network"
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
	visit   sync.Mutex // held while a program of ours is in the jail beside bhyve
	logs    logs
	jid     int
	// otherBoot: what is released was acquired before the host was started again.
	otherBoot bool
	bhyve     *bhyveMachine
	strange   []string // see Found
	shown     string   // where the screen is
}

// New returns what acquires the resources of one life of a cell.
func New(c Config) Provisioner {
	return &bsdProvisioner{config: c.unpack(), files: map[string]*os.File{}, sockets: map[string]*listener{}, logs: logs{}}
}

// Sweeper releases what another process acquired.
func Sweeper(sameBoot bool) Provisioner {
	return &bsdProvisioner{config: Config{}.unpack(), otherBoot: !sameBoot, files: map[string]*os.File{}, sockets: map[string]*listener{}, logs: logs{}}
}

func (t *bsdProvisioner) Machine() Machine { return t.bhyve }

// Acquire is one line a kind, so that the list reads as one.
func (t *bsdProvisioner) Acquire(ctx context.Context, r plan.Resource) (h store.Held, err error) {
	switch s := r.Spec.(type) {
	case *plan.Directory:
		err = os.MkdirAll(s.Path, fs.FileMode(s.Mode))
	case *plan.Slot:
		err = writeNew(s.File, s.Name+"\n")
	case *plan.Bridge:
		h.Made, err = acquireBridge(s)
	case *plan.Tap:
		err = acquireTap(s)
	case *plan.Disk:
		var f *os.File
		f, h.Made, err = openDisk(s, t.files, t.env)
		t.hold("disk:"+s.Label, f)
	case *plan.ScratchCopy:
		err = acquireScratchCopy(ctx, s)
	case *plan.Vars:
		err = t.acquireVars(s)
	case *plan.Firmware:
		err = checkFirmware(s)
	case *plan.Log:
		err = t.acquireLog(s)
	case *plan.Socket:
		err = t.acquireSocket(s)
	case *plan.JailRootfs:
		err = t.acquireTree(s)
	case *plan.Mount:
		if err = checkMount(r.For, s); err == nil {
			err = acquireMount(s)
		}
	case *plan.Ruleset:
		err = acquireRuleset(s)
	case *plan.DevMount:
		err = acquireDev(s)
	case *plan.Prison:
		if err = t.portsFree(); err == nil {
			h.JID, err = t.acquirePrison(s)
		}
	case *plan.Rctl:
		err = acquireRctl(s)
	case *plan.Modem:
		// bhyve's end is opened first, and that is the launcher's to do.
	case *plan.VM:
		err = acquireVM(s)
		h.Made = err == nil
	case *plan.Bhyve:
		h, err = t.acquireBhyve(ctx, s)
	case *plan.Relay:
		err = t.acquireRelay(s)
	case *plan.Screen:
		t.show(s.Listen)
	default:
		err = fmt.Errorf("no way to acquire a %s on FreeBSD", r.Spec.Kind())
	}
	return h, err
}

func (t *bsdProvisioner) Release(ctx context.Context, r plan.Resource, h store.Held) error {
	switch s := r.Spec.(type) {
	case *plan.Directory:
		return nil // its files go with the cell's last state, see Store.RemoveRunDir
	case *plan.Slot:
		return removeFile(s.File)
	case *plan.Bridge:
		if !s.Create {
			return nil
		}
		return network.DropBridge(s.Name, s.Tag, s.Uplink)
	case *plan.Tap:
		if s.Admin {
			return nil
		}
		return network.DropTap(s.Name, s.Tag)
	case *plan.Disk:
		t.drop("disk:" + s.Label)
		return nil
	case *plan.ScratchCopy:
		return os.RemoveAll(s.Dir)
	case *plan.Vars:
		t.drop("vars")
		return nil
	case *plan.Firmware, *plan.Screen:
		return nil
	case *plan.Log:
		t.logs.close(t.env.Notify, s)
		t.drop(s.Name)
		return nil
	case *plan.Socket:
		if l := t.sockets[s.Name]; l != nil {
			l.Close()
		}
		return removeFile(s.Path)
	case *plan.JailRootfs:
		return releaseTree(s)
	case *plan.Mount:
		return jail.Unmount(s.Path)
	case *plan.Ruleset:
		return releaseRuleset(s)
	case *plan.DevMount:
		return jail.Unmount(s.Path)
	case *plan.Prison:
		return releasePrison(ctx, s)
	case *plan.Rctl:
		return jail.RemoveLimits("jail:" + s.Jail)
	case *plan.Modem:
		return t.releaseModem()
	case *plan.VM:
		return t.releaseVM(s, h)
	case *plan.Bhyve:
		return t.releaseBhyve(ctx, s, h)
	case *plan.Relay:
		for _, r := range t.relays {
			r.close()
		}
		t.relays = nil
		if s.Path != "" {
			return removeFile(s.Path)
		}
		return nil
	}
	return fmt.Errorf("no way to release a %s on FreeBSD", r.Spec.Kind())
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
