package provision

import (
	"cmp"
	"os"

	"skep/internal/plan"
)

// Look implements Provisioner.
func (t *linuxProvisioner) Look(r plan.Resource, disks map[string]*os.File) []error {
	var err error
	switch s := r.Spec.(type) {
	case *plan.Bridge:
		if !s.Create {
			_, err = acquireBridge(s)
		}
	case *plan.Tap:
		if s.Admin {
			tap, terr := openTap(s)
			if err = terr; err == nil {
				tap.File.Close()
			}
		}
	case *plan.Disk:
		err = lookAtDisk(s, t.files, disks, t.env)
	case *plan.Firmware:
		var f *os.File
		if f, err = openFirmware(s); err == nil {
			f.Close()
		}
	case *plan.Rootfs:
		return t.lookAtCopies(s)
	case *plan.Socket:
		if s.Listen != "" {
			l, lerr := listenTCP(haveDebug, debugHint, s.Listen)
			if err = lerr; err == nil {
				l.Close()
			}
		}
	case *plan.Screen:
		var errs []error
		if s.Path == "" {
			l, err := listenTCP(showScreen, screenHint, s.Listen)
			if err != nil {
				errs = append(errs, err)
			} else {
				l.Close()
			}
		}
		if _, err := readPassword(s.PasswordFile); err != nil {
			errs = append(errs, plan.Located(t.cell, "screen.password_file", err))
		}
		return errs
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// lookAtCopies looks at the kernel and its initrd.
func (t *linuxProvisioner) lookAtCopies(rootfs *plan.Rootfs) (errs []error) {
	for _, c := range rootfs.Copies {
		f, err := openCopy(c)
		if err != nil {
			path := map[string]string{"kernel": "kernel.image"}[whatOf(c)]
			errs = append(errs, plan.Located(t.cell, cmp.Or(path, "kernel.initrd"), err))
			continue
		}
		f.Close()
	}
	return errs
}
