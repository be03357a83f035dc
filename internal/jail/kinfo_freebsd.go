package jail

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"skep/internal/kinfo"
)

// Info is what the kernel says of a live process.
type Info = kinfo.Proc

// ErrGone is returned for a process that is no more.
var ErrGone = errors.New("the process is gone")

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
	b, err := unix.SysctlRaw("kern.proc.proc")
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

// Inside lists the processes of a jail.
func Inside(jid int) ([]Info, error) {
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
