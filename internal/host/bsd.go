package host

// FreeBSD is what a FreeBSD or HardenedBSD host offers. Each fact is probed
// for itself; no version number stands for one.
type FreeBSD struct {
	Release     string `json:"release"` // kern.osrelease
	HardenedBSD bool   `json:"hardenedbsd"`
	VMM         bool   `json:"vmm"`                 // vmm.ko is loaded: allow.vmm exists
	CPU         string `json:"cpu"`                 // "vmx", "svm" or "" where bhyve cannot run
	NMDM        bool   `json:"nmdm"`                // nmdm.ko is loaded
	TunTap      bool   `json:"tuntap"`              // if_tuntap.ko is loaded
	VmmCtl      bool   `json:"vmmctl"`              // /dev/vmmctl: VMs are made without sysctl
	VmmGroup    int    `json:"vmm_group,omitempty"` // gid of group vmm, 0 without
	MaxCPUs     int    `json:"max_cpus,omitempty"`  // hw.vmm.maxcpu: processors of one VM at most; 0 where vmm(4) says nothing
	MonitorMode bool   `json:"monitor_mode"`        // bhyve -M
	VNCUnix     bool   `json:"vnc_unix"`            // fbuf takes unix=PATH
	// TablesOption: bhyve knows acpi_tables of bhyve_config(5), which says whether it makes ACPI tables.
	TablesOption bool     `json:"acpi_tables"`
	BasicACPI    bool     `json:"basl"`   // bhyve writes ACPI tables itself, without iasl and sh
	Jailed       bool     `json:"jailed"` // already inside a jail
	ZFS          bool     `json:"zfs"`
	Racct        bool     `json:"racct"`      // kern.racct.enable
	GDBFiles     bool     `json:"gdb_files"`  // /usr/share/bhyve/gdb: FreeBSD 14.1 and later
	RuleDepth    int      `json:"rule_depth"` // vfs.devfs.rule_depth
	Bhyve        *Bhyve   `json:"bhyve,omitempty"`
	BhyveWhy     string   `json:"bhyve_why,omitempty"` // why there is none, if it is there and damaged
	Firmware     []string `json:"firmware,omitempty"`  // UEFI firmware files of the host
	Rulesets     []int    `json:"rulesets,omitempty"`  // ruleset numbers in use
	Addresses    []string `json:"addresses,omitempty"`
}

// Bhyve is the hypervisor of a FreeBSD host with everything it opens.
type Bhyve struct {
	Path  string `json:"path"`
	Files []File `json:"files"` // bhyve, ld-elf.so.1 and the libraries
	// ACPIFiles are what a bhyve with -A needs besides: sh, iasl and their
	// libraries. Empty where bhyve makes its tables itself.
	ACPIFiles []File `json:"acpi_files,omitempty"`
	Loader    []File `json:"loader,omitempty"` // bhyveload, its libraries and userboot
	Ctl       []File `json:"ctl,omitempty"`    // bhyvectl and its libraries
}
