package jail

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Info is what the kernel says of a live process.
type Info struct {
	PID     int
	Start   uint64 // microseconds since 1970; a pid with another start is another process
	UID     int
	JID     int
	Threads int
	Traced  bool
	// Capability: it is in capability mode, from which there is no way back,
	// capsicum(4).
	Capability bool
}

// ErrGone is returned for a process that is no more.
var ErrGone = errors.New("the process is gone")

// Offsets into struct kinfo_proc, sys/sys/user.h. Its layout is frozen: 1088
// bytes on 64-bit machines since FreeBSD 12.
const (
	kinfoSize     = 1088
	kinfoPID      = 72
	kinfoUID      = 168
	kinfoStart    = 336
	kinfoStat     = 388
	kinfoTracer   = 576
	kinfoCredFlag = 588
	kinfoJID      = 592
	kinfoThreads  = 596

	statZombie     = 5 // SZOMB
	capabilityMode = 1 // KI_CRF_CAPABILITY_MODE
)

// Look asks the kernel about a process: sysctl kern.proc.pid.
func Look(pid int) (Info, error) {
	b, err := unix.SysctlRaw("kern.proc.pid", pid)
	if errors.Is(err, unix.ESRCH) || err == nil && len(b) == 0 {
		return Info{}, ErrGone
	}
	if err != nil {
		return Info{}, fmt.Errorf("ask for process %d: %w", pid, err)
	}
	return parseInfo(b)
}

func parseInfo(b []byte) (Info, error) {
	if len(b) < kinfoSize || binary.LittleEndian.Uint32(b) != kinfoSize {
		return Info{}, fmt.Errorf("the kernel's kinfo_proc has %d bytes, not %d", len(b), kinfoSize)
	}
	word := func(at int) int { return int(int32(binary.LittleEndian.Uint32(b[at:]))) }
	if b[kinfoStat] == statZombie {
		return Info{}, ErrGone
	}
	return Info{
		PID:        word(kinfoPID),
		Start:      binary.LittleEndian.Uint64(b[kinfoStart:])*1e6 + binary.LittleEndian.Uint64(b[kinfoStart+8:]),
		UID:        word(kinfoUID),
		JID:        word(kinfoJID),
		Threads:    word(kinfoThreads),
		Traced:     word(kinfoTracer) != 0,
		Capability: word(kinfoCredFlag)&capabilityMode != 0,
	}, nil
}

// Lives says whether a process still is the one that started then.
func Lives(pid int, start uint64) bool {
	i, err := Look(pid)
	return err == nil && i.Start == start
}

// Inside lists the processes of a jail: sysctl kern.proc.proc.
func Inside(jid int) ([]Info, error) {
	b, err := unix.SysctlRaw("kern.proc.proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var all []Info
	for ; len(b) >= kinfoSize; b = b[kinfoSize:] {
		i, err := parseInfo(b[:kinfoSize])
		if err == nil && i.JID == jid {
			all = append(all, i)
		}
	}
	return all, nil
}
