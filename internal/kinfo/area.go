package kinfo

// Area is one mapping of memory, struct kinfo_vmentry.
type Area struct {
	From uint64   `json:"from"`
	To   uint64   `json:"to"`
	Type AreaType `json:"type"`
	Mode int      `json:"mode"` // AreaRead and so on
	// NoDump: it is left out of core dumps, MAP_NOCORE.
	NoDump bool   `json:"no_dump,omitempty"`
	Wired  bool   `json:"wired,omitempty"`
	Offset uint64 `json:"offset,omitempty"`
	ID     uint64 `json:"id,omitempty"` // the inode, of a file
	Fsid   uint64 `json:"fsid,omitempty"`
	Path   string `json:"path,omitempty"`
}

// AreaType is what is behind a mapping, KVME_TYPE_*.
type AreaType int

// The types that are told apart here.
const (
	AreaNone  AreaType = 0
	AreaFile  AreaType = 2
	AreaSwap  AreaType = 3 // memory: the program's own, and that of a guest
	AreaGuard AreaType = 9 // cannot be touched, and nothing else is mapped there unless it is asked for by address
)

// What can be done with it, and what it could be made to allow: KVME_PROT_*,
// KVME_MAX_PROT_*.
const (
	AreaRead     = 1 << 0
	AreaWrite    = 1 << 1
	AreaExec     = 1 << 2
	AreaMaxWrite = 1 << 17
	AreaMaxExec  = 1 << 18
)

// Writable and Executable are what the mapping allows now.
func (a Area) Writable() bool { return a.Mode&AreaWrite != 0 }

// Executable says whether the processor may fetch instructions from it.
func (a Area) Executable() bool { return a.Mode&AreaExec != 0 }

// Offsets into struct kinfo_vmentry.
const (
	areaType   = 4
	areaFrom   = 8
	areaTo     = 16
	areaOffset = 24
	areaID     = 32
	areaFlags  = 44
	areaMode   = 56
	areaFsid   = 88
	areaPath   = 136

	flagNoDump = 1 << 2 // KVME_FLAG_NOCOREDUMP
	flagWired  = 1 << 6 // KVME_FLAG_USER_WIRED
)

// ParseAreas reads what sysctl kern.proc.vmmap gave, in the order of addresses.
func ParseAreas(b []byte) ([]Area, error) {
	var all []Area
	err := records(b, areaPath, "kinfo_vmentry", func(r record) {
		all = append(all, Area{
			From: r.u64(areaFrom), To: r.u64(areaTo), Type: AreaType(r.int(areaType)), Mode: r.int(areaMode),
			NoDump: r.u32(areaFlags)&flagNoDump != 0, Wired: r.u32(areaFlags)&flagWired != 0,
			Offset: r.u64(areaOffset), ID: r.u64(areaID), Fsid: r.u64(areaFsid), Path: r.text(areaPath, len(r)),
		})
	})
	return all, err
}
