package provision

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"skep/internal/jail/freebsdjail"
	"skep/internal/jailparam"
	"skep/internal/plan"
	"skep/internal/store"
)

// destroyInside ends VMs as root of their jail, which is root for that moment, and says which were there.
func destroyInside(jid int, names ...string) ([]string, error) {
	if on, err := freebsdjail.Permission(jid, "allow.suser"); err == nil && !on {
		if err := freebsdjail.UpdatePrison(jid, jailparam.Bool("allow.suser", true)); err != nil {
			return nil, err
		}
	}
	return freebsdjail.DestroyVMs(jid, names...)
}

// destroyStrangers ends every VM that was made in a cell's jail but the cell's own. The kernel has no list
// of a jail's VMs, and lets nobody destroy one in a jail that was not made there: so all of the host's
// are tried.
func (t *bsdProvisioner) destroyStrangers(jid int, vm string, own bool) (strangers []string, err error) {
	names, err := freebsdjail.VMs()
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == vm })
	if own {
		names = append(names, vm)
	}
	if len(names) == 0 {
		return nil, nil
	}
	ended, err := destroyInside(jid, names...)
	strangers = slices.DeleteFunc(ended, func(n string) bool { return n == vm })
	if len(strangers) > 0 {
		t.strange = append(t.strange, fmt.Sprintf("VMs that no plan names were made in the jail of %s, and are destroyed: %s", vm, strings.Join(strangers, ", ")))
	}
	return strangers, err
}

// Found implements Searcher.
func (t *bsdProvisioner) Found() []string { return t.strange }

// releaseVM destroys the VM from inside, where no other can be meant, and whatever else was made there. One
// that outlived its jail is destroyed from here, and only if the name was free when
// we took it.
func (t *bsdProvisioner) releaseVM(v *plan.VM, h store.Held) error {
	if !h.Made || t.otherBoot {
		return nil // one of that name is somebody else's
	}
	p, err := freebsdjail.FindPrison(plan.JailName(v.Name))
	switch {
	case err == nil && !p.Dying:
		// Its jail may be removed in this very moment, and the VM outlive it.
		if _, err := t.destroyStrangers(p.JID, v.Name, true); err == nil && !exists("/dev/vmm/"+v.Name) {
			return nil
		}
	case err != nil && !errors.Is(err, freebsdjail.ErrNoPrison):
		return err
	}
	if !exists("/dev/vmm/" + v.Name) {
		return nil
	}
	return freebsdjail.DestroyVMOutside(v.Name)
}
