package usage

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"skep/internal/process"
)

// Offsets into struct kinfo_proc of sys/user.h, the same on amd64 and arm64.
const (
	residentPages = 264
	runMicros     = 328
	enough        = 336
)

func ofProcess(pid int) (u Use, err error) {
	b, err := unix.SysctlRaw("kern.proc.pid", pid)
	if err != nil {
		return u, err
	}
	if len(b) < enough {
		return u, errors.New("the kernel says too little of that process")
	}
	u.Memory = int64(binary.LittleEndian.Uint64(b[residentPages:])) * int64(os.Getpagesize())
	u.CPU = float64(binary.LittleEndian.Uint64(b[runMicros:])) / 1e6
	return u, nil
}

// Age is how long a process is there.
func Age(pid int) (time.Duration, error) {
	p, err := process.Look(pid)
	return time.Since(time.UnixMicro(int64(p.Start))), err
}

// Of struct ifmibdata in net/if_mib.h: bytes that an interface has received and sent.
const (
	ifReceived = 120
	ifSent     = 128
	ifEnough   = 208
	ifGeneral  = 1
)

// ofTap is what a tap has carried: what the host sends into it, the guest receives.
func ofTap(name string) (in, out int64) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0, 0
	}
	b, err := unix.SysctlRaw("net.link.generic.ifdata", i.Index, ifGeneral)
	if err != nil || len(b) < ifEnough {
		return 0, 0
	}
	return int64(binary.LittleEndian.Uint64(b[ifSent:])), int64(binary.LittleEndian.Uint64(b[ifReceived:]))
}
