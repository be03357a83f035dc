package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/jail/freebsdjail"
	"skep/internal/network"
	"skep/internal/plan"
)

// acquireRctl adds the limits one by one.
func acquireRctl(s *plan.Rctl) error {
	for _, rule := range s.Rules {
		if err := freebsdjail.AddLimit(rule); err != nil {
			return fault.Wrap(fault.Host, errors.Join(err, freebsdjail.RemoveLimits("jail:"+s.Jail)), "", "limit the cell")
		}
	}
	return nil
}

// nameIsFree refuses a name that another jail has.
func nameIsFree(s *plan.Prison) error {
	if old, err := freebsdjail.FindPrison(s.Name); err == nil && !old.Dying {
		return fault.New(fault.Input, "jls shows it", "make the jail %s: there is one of that name (jid %d, path %s)", s.Name, old.JID, old.Path)
	}
	return nil
}

// acquirePrison makes the jail.
func (t *bsdProvisioner) acquirePrison(s *plan.Prison) (int, error) {
	if err := nameIsFree(s); err != nil {
		return 0, err
	}
	jid, err := freebsdjail.CreatePrison(s.Params())
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
		if err := network.Loopback(func() (int, error) { return freebsdjail.Socket(jid) }); err != nil {
			return jid, fault.Wrap(fault.Jail, err, "", "bring up lo0 in the jail %s", s.Name)
		}
	}
	return jid, nil
}

// prisonWait bounds the wait for the last process of a jail. Its end can take
// a while where it has much memory to give back.
const prisonWait = 20 * time.Second

// ours finds the jail of a cell: by name, and only with the root that is ours.
func ours(s *plan.Prison) (freebsdjail.Prison, bool, error) {
	p, err := freebsdjail.FindPrison(s.Name)
	if errors.Is(err, freebsdjail.ErrNoPrison) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	// The kernel keeps the path without symbolic links.
	real, err := filepath.EvalSymlinks(s.Path)
	return p, p.Path == s.Path || err == nil && p.Path == real, nil
}

func releasePrison(ctx context.Context, s *plan.Prison) error {
	deadline := time.Now().Add(prisonWait)
	for {
		p, found, err := ours(s)
		if err != nil || !found || p.Dying {
			// Dying: it has no process any more, and its name is free.
			return err
		}
		if err := freebsdjail.RemovePrison(p.JID); err != nil && !errors.Is(err, freebsdjail.ErrNoPrison) {
			return err
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("jail %s (jid %d) is removed and still has a process after %s", s.Name, p.JID, prisonWait)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// exists says whether there is something of that name.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// acquireVM sees to it that the name is free. VM names belong to the whole host.
func acquireVM(v *plan.VM) error {
	if exists("/dev/vmm/" + v.Name) {
		return fault.New(fault.Input, "bhyvectl --vm="+v.Name+" --destroy ends it, if it is nobody's; or name the cell otherwise",
			"make the VM %s: another jail, or a bhyve of somebody's, has one of that name", v.Name)
	}
	return nil
}
