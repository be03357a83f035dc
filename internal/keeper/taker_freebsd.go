package keeper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/console"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/store"
)

// bsdTaker takes resources on FreeBSD.
//
// Every release asks the kernel for the thing itself, by a name, a path or a
// tag that is ours alone, so that it is right for what another process took,
// or was about to take, in this boot or in an earlier one.
type bsdTaker struct {
	keeper  *Keeper // nil for a sweep
	plan    *plan.Plan
	files   map[string]*os.File
	sockets map[string]*listener
	relays  []*relay
	stopLog []context.CancelFunc
	jid     int
	bhyve   *bhyveMachine
}

func newTaker(k *Keeper, p *plan.Plan) taker {
	return &bsdTaker{keeper: k, plan: p, files: map[string]*os.File{}, sockets: map[string]*listener{}}
}

// sweeper releases what another process took.
func sweeper(bool) taker {
	return &bsdTaker{files: map[string]*os.File{}, sockets: map[string]*listener{}}
}

func (t *bsdTaker) machine() machine { return t.bhyve }

// take is one line a kind, so that the list reads as one.
func (t *bsdTaker) take(ctx context.Context, r plan.Resource) (h store.Held, err error) {
	switch s := r.Spec.(type) {
	case *plan.Directory:
		err = os.MkdirAll(s.Path, fs.FileMode(s.Mode))
	case *plan.Slot:
		err = writeNew(s.File, s.Name+"\n")
	case *plan.Bridge:
		h.Made, err = takeBridge(s)
	case *plan.Tap:
		err = takeTap(s)
	case *plan.Disk:
		var f *os.File
		f, h.Made, err = disk.Open(s)
		t.hold("disk:"+s.Label, f)
	case *plan.Vars:
		err = t.takeVars(s)
	case *plan.Firmware:
		err = checkFirmware(s)
	case *plan.Log:
		err = t.takeLog(s)
	case *plan.Socket:
		err = t.takeSocket(s)
	case *plan.Tree:
		err = t.takeTree(s)
	case *plan.Mount:
		err = takeMount(s)
	case *plan.Ruleset:
		err = takeRuleset(s)
	case *plan.DevMount:
		err = takeDev(s)
	case *plan.Prison:
		h.JID, err = t.takePrison(s)
	case *plan.Rctl:
		err = takeRctl(s)
	case *plan.Modem:
		// bhyve's end is opened first, and that is the launcher's to do.
	case *plan.VM:
		err = takeVM(s)
		h.Made = err == nil
	case *plan.Bhyve:
		h, err = t.takeBhyve(ctx, s)
	case *plan.Relay:
		err = t.takeRelay(s)
	case *plan.Screen:
		t.keeper.state.Screen = s.Listen
	default:
		err = fmt.Errorf("no way to take a %s on FreeBSD", r.Spec.Kind())
	}
	return h, err
}

func (t *bsdTaker) release(ctx context.Context, r plan.Resource, h store.Held) error {
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
	case *plan.Vars:
		t.drop("vars")
		return nil
	case *plan.Firmware, *plan.Screen:
		return nil
	case *plan.Log:
		for _, stop := range t.stopLog {
			stop()
		}
		t.stopLog = nil
		t.drop(s.Name)
		return nil
	case *plan.Socket:
		if l := t.sockets[s.Name]; l != nil {
			l.Close()
		}
		return removeFile(s.Path)
	case *plan.Tree:
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
		return t.releaseVM(ctx, s, h)
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

func (t *bsdTaker) hold(name string, f *os.File) {
	if f != nil {
		t.files[name] = f
	}
}

func (t *bsdTaker) drop(name string) {
	if f := t.files[name]; f != nil {
		f.Close()
		delete(t.files, name)
	}
}

func takeBridge(b *plan.Bridge) (made bool, err error) {
	if b.Create {
		made, err = network.MakeBridge(b.Name, b.Tag, b.Uplink)
		if err != nil {
			return made, fault.Wrap(fault.Input, err, "", "make bridge %s", b.Name)
		}
		return made, nil
	}
	if err := network.FindBridge(b.Name); err != nil {
		return false, &fault.Error{Code: fault.Input, What: "use bridge " + b.Name, Err: err,
			Hint: fmt.Sprintf("ifconfig bridge create name %s up; or bridge %q { create = true } in the cell file", b.Name, b.Name)}
	}
	return false, nil
}

func takeTap(s *plan.Tap) error {
	if s.Admin {
		if _, err := network.OpenAdminTap(s.Name); err != nil {
			return fault.Wrap(fault.Input, err, "ifconfig "+s.Name+" create", "use tap %s for network card %q", s.Name, s.Label)
		}
		return nil
	}
	_, err := network.OpenTap(s.Name, s.Tag, s.Bridge)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, network.ErrForeign):
		return fault.Wrap(fault.Host, err, "ifconfig "+s.Name+" shows whose it is", "give network card %q a tap", s.Label)
	}
	return fault.Wrap(fault.Host, err, "kldload if_tuntap", "give network card %q a tap", s.Label)
}

// takeVars copies the firmware's template once and locks the cell's own copy.
func (t *bsdTaker) takeVars(v *plan.Vars) error {
	if _, err := os.Stat(v.Path); errors.Is(err, fs.ErrNotExist) {
		template, err := os.ReadFile(v.From)
		if err != nil {
			return fault.Wrap(fault.Host, err, "pkg install -f edk2-bhyve", "read the UEFI variables' template")
		}
		if err := store.WriteDurable(v.Path, template); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(v.Path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return fault.Wrap(fault.Host, err, "another program has them open", "lock the UEFI variables %s", v.Path)
	}
	t.hold("vars", f)
	return nil
}

// checkFirmware looks at what the guest executes first; it is copied into the
// room with the rest.
func checkFirmware(s *plan.Firmware) error {
	if s.From == plan.BuiltinHello {
		return nil
	}
	f, err := openPlain(s.From)
	if err != nil {
		return fault.Wrap(fault.Input, err, "", "read the firmware %s", s.From)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	const page, largest = 4096, 16 << 20
	if n := info.Size(); n == 0 || n%page != 0 || n > largest {
		return fault.New(fault.Input, "a firmware image is a whole number of 4096-byte pages, 16 MiB at most", "use the firmware %s: it has %d bytes", s.From, n)
	}
	return nil
}

// takeLog opens a log and keeps it below its size while the keeper lives. The
// console's has one writer, this process, which bounds it as it writes.
func (t *bsdTaker) takeLog(l *plan.Log) error {
	f, err := os.OpenFile(l.Path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fault.Wrap(fault.Host, err, "SKEP_STATE_DIR names another directory", "write the log %s", l.Path)
	}
	if err := console.Trim(l.Path, int64(l.Max)); err != nil {
		f.Close()
		return fault.Wrap(fault.Host, err, "", "bound the log %s", l.Path)
	}
	t.hold(l.Name, f)
	if l.Name == "console-log" {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.stopLog = append(t.stopLog, cancel)
	go func() {
		if err := console.Bound(ctx, l.Path, int64(l.Max)); err != nil {
			t.keeper.Notify("cannot bound the log " + l.Path + ": " + err.Error())
		}
	}()
	return nil
}

func (t *bsdTaker) takeSocket(s *plan.Socket) error {
	l, err := ListenUnix(s.Path)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "listen on %s", s.Path)
	}
	if s.Name == "control" {
		t.keeper.server = serve(t.keeper, l)
		return nil
	}
	t.sockets[s.Name] = &listener{UnixListener: l}
	return nil
}

// takeRctl adds the limits one by one.
func takeRctl(s *plan.Rctl) error {
	for _, rule := range s.Rules {
		if err := jail.AddLimit(rule); err != nil {
			return fault.Wrap(fault.Host, errors.Join(err, jail.RemoveLimits("jail:"+s.Jail)), "", "limit the cell")
		}
	}
	return nil
}

// takePrison makes the jail.
func (t *bsdTaker) takePrison(s *plan.Prison) (int, error) {
	if old, err := jail.FindPrison(s.Name); err == nil && !old.Dying {
		return 0, fault.New(fault.Input, "jls shows it", "make the jail %s: there is one of that name (jid %d, path %s)", s.Name, old.JID, old.Path)
	}
	jid, err := jail.CreatePrison(s.Params())
	if err != nil {
		hint := ""
		switch {
		case errors.Is(err, unix.EPERM):
			hint = "run skep on the host itself, as root; inside a jail that one needs children.max, allow.vmm and its own securelevel"
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EEXIST):
			hint = "jls -d shows jails that are still dying"
		case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EADDRINUSE):
			hint = "ifconfig shows the addresses of this host"
		}
		return 0, fault.Wrap(fault.Jail, err, hint, "make the jail %s", s.Name)
	}
	t.jid = jid
	if s.Network == cell.NetworkVnet {
		// Nothing but lo0: what bhyve has listen there can be reached by nobody
		// but the keeper.
		if err := network.Loopback(func() (int, error) { return jail.Socket(jid) }); err != nil {
			return jid, fault.Wrap(fault.Jail, err, "", "bring up lo0 in the jail %s", s.Name)
		}
	}
	return jid, nil
}

// prisonWait bounds the wait for the last process of a jail. Its end can take
// a while where it has much memory to give back.
const prisonWait = 20 * time.Second

// ours finds the jail of a cell: by name, and only with the root that is ours.
func ours(s *plan.Prison) (jail.Prison, bool, error) {
	p, err := jail.FindPrison(s.Name)
	if errors.Is(err, jail.ErrNoPrison) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	return p, p.Path == s.Path, nil
}

func releasePrison(ctx context.Context, s *plan.Prison) error {
	deadline := time.Now().Add(prisonWait)
	for {
		p, found, err := ours(s)
		if err != nil || !found || p.Dying {
			// Dying: it has no process any more, and its name is free.
			return err
		}
		if err := jail.RemovePrison(p.JID); err != nil && !errors.Is(err, jail.ErrNoPrison) {
			return err
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("jail %s (jid %d) is removed and still has a process after %s", s.Name, p.JID, prisonWait)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// takeVM sees to it that the name is free. VM names belong to the whole host.
func takeVM(v *plan.VM) error {
	if _, err := os.Lstat("/dev/vmm/" + v.Name); err == nil {
		return fault.New(fault.Input, "bhyvectl --vm="+v.Name+" --destroy ends it, if it is nobody's; or name the cell otherwise",
			"make the VM %s: another jail, or a bhyve of somebody's, has one of that name", v.Name)
	}
	return nil
}

// releaseVM destroys the VM from inside, where no other can be meant. One that
// outlived its jail is destroyed from here, and only if the name was free when
// we took it.
func (t *bsdTaker) releaseVM(ctx context.Context, v *plan.VM, h store.Held) error {
	if !h.Made {
		return nil
	}
	if _, err := os.Lstat("/dev/vmm/" + v.Name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	p, err := jail.FindPrison(plan.JailName(v.Name))
	switch {
	case err == nil && !p.Dying:
		return destroyInside(p.JID, v.Name)
	case err != nil && !errors.Is(err, jail.ErrNoPrison):
		return err
	}
	return jail.DestroyVMOutside(v.Name)
}
