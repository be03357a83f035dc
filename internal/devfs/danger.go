package devfs

import (
	"slices"
	"strings"
)

// dangers says, worst first, which nodes let a jail out of its rootfs or into
// somebody else's. A pattern is a rule's pattern; one that ends in "/**" takes
// everything below a directory. The first row that matches gives the reason.
var dangers = []struct {
	patterns string
	why      string
}{
	{"mem kmem", "reads and writes the host's memory"},
	{"io", "opens every I/O port of the host"},
	{"pci", "reads and writes the configuration of the host's PCI devices"},
	{"ada[0-9]* da[0-9]* nda[0-9]* nvd[0-9]* vtbd[0-9]* mmcsd[0-9]* sdda[0-9]* xbd[0-9]* ad[0-9]*",
		"is a disk of the host: every file of every file system on it"},
	{"aacd[0-9]* amrd[0-9]* idad[0-9]* ipsd[0-9]* mfid[0-9]* mfisyspd[0-9]* mlxd[0-9]* mlyd[0-9]* mrsas[0-9]* nvdimm_spa[0-9]* pmem[0-9]* pst[0-9]* twed[0-9]*",
		"is a disk of the host behind a controller: every file on it"},
	{"diskid/** gpt/** gptid/** label/** msdosfs/** ntfs/** ext2fs/** iso9660/** ufs/** ufsid/** mirror/** raid/** raid3/** stripe/** concat/** cache/** multipath/** shsec/** virstor/** hast/** *.eli *.bde *.nop *.journal *.uzip ggate[0-9]*",
		"is a disk or a partition of the host under another name"},
	{"zvol/**", "is a volume of the host's ZFS: another guest's disk"},
	{"md[0-9]*", "is a memory disk of the host"},
	{"cd[0-9]* fd[0-9]* fd[0-9]*.[0-9]* sa[0-9]* nsa[0-9]* esa[0-9]* sg[0-9]* ch[0-9]*", "is a drive with removable media of the host"},
	{"pass[0-9]* xpt[0-9]* ses[0-9]* enc@*/** cam/** ctl ctl/** targ[0-9]* nvme[0-9]* mpt[0-9]* mps[0-9]* mpr[0-9]* mfi[0-9]* aac[0-9]* twa[0-9]* ciss[0-9]* arcmsr[0-9]* hptmv hpt_* iir[0-9]*",
		"sends commands to the host's disks and controllers, past every partition"},
	{"geom.ctl mdctl ggctl", "changes or makes disks of the host"},
	{"zfs", "is the control node of the host's ZFS: only the kernel's checks stand before every pool"},
	{"vmmctl", "makes and destroys virtual machines"},
	{"vmm/**", "is a virtual machine: its memory, registers and end, if it is not this jail's own"},
	{"vmm.io/**", "is memory of a virtual machine: its firmware or its screen, if it is not this jail's own"},
	{"nmdm*", "is the console of a virtual machine, if it is not this jail's own"},
	{"tap[0-9]* tap tun[0-9]* tun vmnet[0-9]* vmnet net/**", "is a network interface of the host: reads and forges what passes, if it is not this jail's own"},
	{"bpf bpf[0-9]*", "reads and forges packets on every interface that the jail's network has"},
	{"netmap pf ipl ipnat ipstate ipauth ipsync ipscan iplookup ipfw* dummynet altq/** ng_* nfslock", "controls the network stack: filters, queues, raw packets"},
	{"klog", "reads the host's kernel messages, addresses among them"},
	{"devctl devctl2 devmatch kld*", "attaches, detaches and listens to the host's devices"},
	{"cpuctl[0-9]*", "writes machine registers and microcode of the host's processors"},
	{"consolectl ttyv* console vt[0-9]* sc[0-9]*", "is the host's screen and keyboard"},
	{"kbd[0-9]* kbdmux[0-9]* atkbd[0-9]* ukbd[0-9]* vkbdctl* kbd* sysmouse psm[0-9]* bpsm[0-9]* ums[0-9]* joy[0-9]* input/** uinput evdev*",
		"listens to the host's keyboard and mouse, or types on it"},
	{"ugen[0-9]* usb usb/** usbctl uhid[0-9]* hidraw* cuse fido/** u2f/**", "sends commands to the host's USB devices"},
	{"dri dri/** drm drm/** dmabuf* nvidia* nvidiactl agpgart fb[0-9]* vga_arbiter", "is the host's graphics card: a large driver and direct memory access"},
	{"fuse fusefs*", "mounts file systems that a process of the jail answers for"},
	{"acpi apm apmctl", "puts the host to sleep or turns it off"},
	{"ipmi[0-9]*", "commands the host's management controller: power, users, firmware"},
	{"tpm[0-9]* tpmrm[0-9]*", "uses the host's TPM and the keys in it"},
	{"smb[0-9]* iic[0-9]* spigen* gpioc[0-9]* pps[0-9]* led led/** owc[0-9]* ow[0-9]* ppi[0-9]* lpt* speaker nvram bktr* efi", "drives hardware of the host: buses, firmware variables, ports"},
	{"mlx4_* mlx5* mlx* mce* infiniband/** rdma/** uverbs* umad* issm* ucm[0-9]* qat* t[0-9]nex* cxgb* ioat* hwpmc pmc*", "is a device with direct memory access or counters of the whole host"},
	{"ttyu* cuau* ttyU* cuaU* ttyd* cuad* cua*", "is a serial port of the host: a console or a modem"},
	{"dtrace dtrace/** ksyms", "traces the kernel or lists its symbols"},
	{"audit auditpipe*", "reads or writes the host's audit trail"},
	{"hv_* hyperv* xen xen/** vmci vmware* pvpanic* virtio* vtcon* ttyV*", "speaks to the hypervisor that the host itself runs on"},
	{"sndstat dsp* mixer* audio* midistat umidi* sequencer* music", "plays, and records, in the rootfs where the host stands"},
	{"devstat dumpdev watchdog hpet[0-9]* ptp* kvm vboxdrv* sev*", "shows or steers what the whole host does"},
}

// Dangerous says why a node has no business in a jail, and whether there is a
// reason. Nodes of a virtual machine are dangerous to everybody but their own
// jail; the caller knows which those are.
func Dangerous(node string) (why string, ok bool) {
	rank, why := danger(node)
	return why, rank >= 0
}

// danger is the row of the table that a node belongs to, -1 for none.
func danger(node string) (rank int, why string) {
	for i, row := range dangers {
		for _, pattern := range strings.Fields(row.patterns) {
			if below, ok := strings.CutSuffix(pattern, "/**"); ok {
				top, _, deeper := strings.Cut(node, "/")
				if deeper && match(below, top) {
					return i, row.why
				}
				continue
			}
			if match(pattern, node) {
				return i, row.why
			}
		}
	}
	return -1, ""
}

// Worst lists those of the nodes that have no business in a jail, the worst
// first.
func Worst(nodes []string) []string {
	var bad []string
	for _, n := range nodes {
		if _, ok := Dangerous(n); ok {
			bad = append(bad, n)
		}
	}
	slices.SortStableFunc(bad, func(a, b string) int {
		x, _ := danger(a)
		y, _ := danger(b)
		return x - y
	})
	return bad
}
