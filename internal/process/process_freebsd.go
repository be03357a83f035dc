package process

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"skep/internal/kinfo"
)

// Info is what the kernel says of a live process.
type Info = kinfo.Proc

// Look asks the kernel about a process: sysctl kern.proc.pid.
func Look(pid int) (Info, error) {
	b, err := unix.SysctlRaw("kern.proc.pid", pid)
	if errors.Is(err, unix.ESRCH) || err == nil && len(b) == 0 {
		return Info{}, ErrGone
	}
	if err != nil {
		return Info{}, fmt.Errorf("ask for process %d: %w", pid, err)
	}
	p, err := kinfo.ParseProc(b)
	if err == nil && p.Zombie {
		err = ErrGone
	}
	return p, err
}

// Lives says whether a process still is the one that started then.
func Lives(pid int, start uint64) bool {
	i, err := Look(pid)
	return err == nil && i.Start == start
}

// Processes lists those of the host that live: sysctl kern.proc.proc.
func Processes() ([]Info, error) {
	b, err := kinfo.List("kern.proc.proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	all, err := kinfo.ParseProcs(b)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	alive := all[:0]
	for _, p := range all {
		if !p.Zombie {
			alive = append(alive, p)
		}
	}
	return alive, nil
}

// InJail lists the processes of a jail.
func InJail(jid int) ([]Info, error) {
	all, err := Processes()
	if err != nil {
		return nil, err
	}
	var inside []Info
	for _, p := range all {
		if p.JID == jid {
			inside = append(inside, p)
		}
	}
	return inside, nil
}

// BootID identifies this boot of the kernel: kern.boot_id, sixteen random bytes;
// where there is none, the time at which init, process 1, was started, which
// no clock that is set later changes.
func BootID() string {
	if id, err := unix.SysctlRaw("kern.boot_id"); err == nil && len(id) > 0 {
		return hex.EncodeToString(id)
	}
	init, err := Look(1)
	if err != nil {
		return ""
	}
	return "init " + strconv.FormatUint(init.Start, 10)
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
