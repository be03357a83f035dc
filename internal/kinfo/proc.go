package kinfo

import (
	"encoding/binary"
	"fmt"
)

// Proc is a process, struct kinfo_proc.
type Proc struct {
	PID     int    `json:"pid"`
	Parent  int    `json:"parent"`
	Comm    string `json:"comm"`
	Start   uint64 `json:"start"` // microseconds since 1970; a pid with another start is another process
	UID     int    `json:"uid"`   // effective
	RUID    int    `json:"ruid"`
	SVUID   int    `json:"svuid"`
	RGID    int    `json:"rgid"`
	SVGID   int    `json:"svgid"`
	Groups  []int  `json:"groups"` // the effective group first; at most 16 are told
	Size    uint64 `json:"size"`   // of its address space, bytes
	JID     int    `json:"jid"`
	Threads int    `json:"threads"`
	Traced  bool   `json:"traced"`
	Zombie  bool   `json:"zombie,omitempty"`
	// Capability: it is in capability mode, from which there is no way back,
	// capsicum(4).
	Capability bool `json:"capability"`
}

// ProcSize is sizeof(struct kinfo_proc).
const ProcSize = 1088

// Offsets into struct kinfo_proc.
const (
	procPID       = 72
	procParent    = 76
	procUID       = 168
	procRUID      = 172
	procSVUID     = 176
	procRGID      = 180
	procSVGID     = 184
	procNGroups   = 188
	procGroups    = 192
	procMaxGroups = 16 // KI_NGROUPS
	procVMSize    = 256
	procStart     = 336
	procStat      = 388
	procComm      = 447
	procCommEnd   = procComm + 20
	procTracer    = 576
	procCredFlag  = 588
	procJID       = 592
	procThreads   = 596

	statZombie     = 5 // SZOMB
	capabilityMode = 1 // KI_CRF_CAPABILITY_MODE
)

// ParseProc reads the first kinfo_proc of what sysctl kern.proc.pid gave.
func ParseProc(b []byte) (Proc, error) {
	if len(b) < ProcSize || binary.LittleEndian.Uint32(b) != ProcSize {
		return Proc{}, fmt.Errorf("the kernel's kinfo_proc has %d bytes, not %d", len(b), ProcSize)
	}
	r := record(b[:ProcSize])
	p := Proc{
		PID:        r.int(procPID),
		Parent:     r.int(procParent),
		Comm:       r.text(procComm, procCommEnd),
		Start:      r.u64(procStart)*1e6 + r.u64(procStart+8),
		UID:        r.int(procUID),
		RUID:       r.int(procRUID),
		SVUID:      r.int(procSVUID),
		RGID:       r.int(procRGID),
		SVGID:      r.int(procSVGID),
		Size:       r.u64(procVMSize),
		JID:        r.int(procJID),
		Threads:    r.int(procThreads),
		Traced:     r.int(procTracer) != 0,
		Zombie:     r[procStat] == statZombie,
		Capability: r.int(procCredFlag)&capabilityMode != 0,
	}
	for i := range min(int(r.u16(procNGroups)), procMaxGroups) {
		p.Groups = append(p.Groups, r.int(procGroups+4*i))
	}
	return p, nil
}

// ParseProcs reads a list of them: sysctl kern.proc.proc.
func ParseProcs(b []byte) ([]Proc, error) {
	var all []Proc
	for ; len(b) >= ProcSize; b = b[ProcSize:] {
		p, err := ParseProc(b)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
