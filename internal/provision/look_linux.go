package provision

import (
	"cmp"

	"skep/internal/plan"
)

// lookAtTap looks at a tap of the admin's.
func (t *linuxProvisioner) lookAtTap(s *plan.Tap) []error {
	if !s.Admin {
		return nil
	}
	tap, err := openTap(s)
	if err != nil {
		return []error{err}
	}
	tap.File.Close()
	return nil
}

// lookAtSocket looks at an address of the cell file's.
func (t *linuxProvisioner) lookAtSocket(s *plan.Socket) []error {
	if s.Listen == "" {
		return nil
	}
	l, err := listenTCP(haveDebug, debugHint, s.Listen)
	if err != nil {
		return []error{err}
	}
	l.Close()
	return nil
}

// lookAtScreen looks at its address and at its password.
func (t *linuxProvisioner) lookAtScreen(s *plan.Screen) (errs []error) {
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
