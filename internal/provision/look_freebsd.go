package provision

import (
	"net"
	"os"

	"skep/internal/plan"
)

// Look implements Provisioner.
func (t *bsdProvisioner) Look(r plan.Resource, disks map[string]*os.File) []error {
	var err error
	switch s := r.Spec.(type) {
	case *plan.Bridge:
		if !s.Create {
			_, err = acquireBridge(s)
		}
	case *plan.Tap:
		if s.Admin {
			err = acquireTap(s)
		}
	case *plan.Disk:
		err = lookAtDisk(s, t.files, disks, t.env)
	case *plan.Firmware:
		err = checkFirmware(s)
	case *plan.JailRootfs:
		if s.Existing {
			err = existingTree(s)
		}
	case *plan.Prison:
		err = nameIsFree(s)
	case *plan.VM:
		err = acquireVM(s)
	case *plan.Mount:
		err = checkMount(r.For, s)
	case *plan.Screen:
		return t.lookAtScreen(s.Listen)
	case *plan.Relay:
		if s.Name == "screen" {
			return t.lookAtScreen(s.Listen)
		}
		err = canListen(s.Name, s.Listen)
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// lookAtScreen looks at its address and at its password.
func (t *bsdProvisioner) lookAtScreen(listen string) (errs []error) {
	if err := canListen("screen", listen); err != nil {
		errs = append(errs, err)
	}
	if _, err := t.password(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// canListen says why nobody can listen on an address; "" is a UNIX socket of
// ours.
func canListen(name, where string) error {
	if where == "" {
		return nil
	}
	l, err := net.Listen("tcp", where)
	if err != nil {
		return listenFault(err, name, where)
	}
	l.Close()
	return nil
}
