package host

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// LeastQEMU is the first version that can be used: -action came with it,
// without which a guest's reset or end would be QEMU's to decide.
const LeastQEMU = "6.0"

// QEMUFault is the kind of reason for which a QEMU cannot be used.
type QEMUFault string

// The kinds. Each has a fix of its own.
const (
	QEMUAbsent QEMUFault = "absent" // there is no such file
	QEMUNoExec QEMUFault = "not a program"
	QEMUBroken QEMUFault = "broken" // a library is missing or damaged, or it does not start
	QEMUSilent QEMUFault = "silent" // it started and did not answer in time
	QEMUAlien  QEMUFault = "alien"  // it answers, and not like QEMU
	QEMUOld    QEMUFault = "old"    // older than LeastQEMU
)

// QEMUTried is a program that was looked at and cannot be used.
type QEMUTried struct {
	Path  string    `json:"path"`
	Fault QEMUFault `json:"fault"`
	Why   string    `json:"why"`
	// Library is the file that is missing or damaged, where that is the reason.
	Library string `json:"library,omitempty"`
	// Package is the package that this file comes from, where the host's package
	// manager has it on record.
	Package string `json:"package,omitempty"`
}

// QEMUReason says in one sentence why no QEMU can be used: each that is there
// with its reason, and those that are not only if that is all of them.
func (l *Linux) QEMUReason() string {
	var absent, reasons []string
	for _, t := range l.QEMUTried {
		if t.Fault == QEMUAbsent {
			absent = append(absent, t.Path)
		} else {
			reasons = append(reasons, t.Why)
		}
	}
	switch {
	case len(reasons) > 0:
		return strings.Join(reasons, "; ")
	case len(absent) > 0:
		return "there is no " + strings.Join(absent, ", no ")
	}
	return orElse(l.QEMUWhy, "qemu-system-x86_64 is not installed")
}

// QEMULate says whether there is a QEMU that has not answered in time, and no
// other: asked again, it may.
func (l *Linux) QEMULate() bool {
	return l.QEMU == nil && slices.ContainsFunc(l.QEMUTried, func(t QEMUTried) bool { return t.Fault == QEMUSilent })
}

// FixQEMU is how to come by a QEMU that works: it follows from the first
// reason that is more than absence.
func (f Facts) FixQEMU() string {
	if f.Linux == nil {
		return f.Install("qemu")
	}
	if f.Linux.Around.NoNull != "" {
		return fixNull // no program starts, and that is no fault of its package
	}
	for _, t := range f.Linux.QEMUTried {
		switch t.Fault {
		case QEMUAbsent:
		case QEMUBroken:
			return f.fixLibrary(t)
		case QEMUSilent:
			return fmt.Sprintf("run %s --version: if it answers after a while, this host is busy; try again then", t.Path)
		case QEMUOld:
			return fmt.Sprintf("install QEMU %s or later, or name one by %s", LeastQEMU, EnvQEMU)
		default:
			if f.Linux.QEMUAsked {
				return EnvQEMU + " names it: correct it, or unset it"
			}
			return f.reinstall("qemu")
		}
	}
	if f.Linux.QEMUAsked {
		return EnvQEMU + " names it: correct it, or unset it"
	}
	return f.Install("qemu")
}

// fixLibrary brings back a file that a QEMU needs.
func (f Facts) fixLibrary(t QEMUTried) string {
	switch {
	case t.Package != "":
		return f.reinstallCommand() + t.Package
	case t.Library != "":
		return fmt.Sprintf("reinstall the package that %s comes from", t.Library)
	case f.Linux.QEMUAsked:
		return EnvQEMU + " names it: correct it, or unset it"
	}
	return f.reinstall("qemu")
}

func (t *QEMUTried) Error() string { return t.Why }

// TooOld says whether a version is one before LeastQEMU. One that cannot be
// read is not called old: what it lacks shows when it starts.
func TooOld(version string) bool {
	major, _, ok := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	least, _ := strconv.Atoi(strings.SplitN(LeastQEMU, ".", 2)[0])
	return ok && err == nil && n < least
}

// qemuTried reports those that were passed over where another one is used.
func (d *report) qemuTried(l *Linux) {
	for _, t := range l.QEMUTried {
		if l.QEMU != nil && t.Fault != QEMUAbsent {
			d.add(Warn, "qemu", t.Why, "another one is used", "")
		}
	}
}
