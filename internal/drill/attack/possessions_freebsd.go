package attack

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/plan"
)

// possessions are what bhyve has once its guest runs, as numbers of descriptors. The attacker opens
// them by their names in the rootfs, as bhyve does.
type possessions struct {
	vmm     uint64
	console uint64
	disks   []uint64
}

// Calls on a VM's node, sys/amd64/include/vmm_dev.h.
const (
	vmAllocMemseg uint64 = 1<<31 | 32<<16 | 'v'<<8 | 14
	vmGetMemseg   uint64 = 1<<31 | 1<<30 | 32<<16 | 'v'<<8 | 15
	vmBindPPT     uint64 = 1<<31 | 12<<16 | 'v'<<8 | 40
)

// Segments of a VM's memory, lib/libvmmapi/vmmapi.h.
var memsegs = map[string]uint32{"bootrom": 1, "framebuffer": 2}

// Rights of a descriptor, sys/sys/capsicum.h: the first word and the second.
const (
	capRead, capWrite, capSeek = 1, 2, 4 | 8
	capMmapRW                  = 0x10 | capSeek | capRead | capWrite
	capFsync, capFcntl         = 0x100, 0x8000
	capFpathconf, capFstat     = 0x20000, 0x80000
	capEvent, capIoctl         = 0x20, 0x80
)

// Requests that bhyve keeps for its terminal and its disks.
const (
	diocgflush, diocgmediasize = 0x20006487, 0x40086481
	fiodtype                   = 0x4004667a
)

// Prepare does what bhyve does between its start and its guest's: it makes the VM, opens what the plan
// gives it, keeps the rights that it needs on each descriptor and no others, and enters capability
// mode (usr.sbin/bhyve and lib/libvmmapi of FreeBSD 14.2).
func (s *Fixture) Prepare() error {
	p := preparing{Fixture: s}
	name := p.vm()
	if !p.made() {
		p.do("make the VM", unix.SYS___SYSCTLBYNAME, "hw.vmm.create", len("hw.vmm.create"), 0, 0, name, len(name))
	}
	s.own.vmm = p.do("open the VM", unix.SYS_OPENAT, atCWD, "/dev/vmm/"+name, unix.O_RDWR, 0)
	p.segments()
	for _, m := range plan.Specs[*plan.Modem](s.Plan) {
		s.own.console = p.do("open the console", unix.SYS_OPENAT, atCWD, m.Inside, unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
		p.limit(s.own.console, capRead|capWrite, capEvent|capIoctl, unix.TIOCGETA, unix.TIOCSETA, unix.TIOCGWINSZ)
	}
	p.disks()
	p.limit(s.own.vmm, capMmapRW, capIoctl, vmAllocMemseg, vmGetMemseg, vmBindPPT)
	for fd := range uint64(2) {
		p.limit(fd+1, capFcntl|capFstat|capSeek|capWrite, capIoctl, unix.TIOCGETA, unix.TIOCGWINSZ, fiodtype)
	}
	if !s.Harness.Missing.Capsicum {
		p.do("enter capability mode", unix.SYS_CAP_ENTER)
	}
	return p.err
}

// preparing stops at the first thing that goes wrong.
type preparing struct {
	*Fixture
	err error
}

func (p *preparing) do(what string, number uint64, args ...any) uint64 {
	if p.err != nil {
		return 0
	}
	p.again()
	r := p.call(number, args...)
	if o, failed := r.failed(); failed {
		p.err = fmt.Errorf("cannot have the attacker do what bhyve does: %s: %s", what, o.How)
	}
	return r.value
}

func (p *preparing) vm() string {
	for _, v := range plan.Specs[*plan.VM](p.Plan) {
		return v.Name
	}
	p.err = fmt.Errorf("the plan has no VM")
	return ""
}

// made says whether who started it has made the VM: where there is /dev/vmmctl.
func (p *preparing) made() bool {
	for _, v := range plan.Specs[*plan.VM](p.Plan) {
		return v.Before
	}
	return false
}

// segments has a node appear for each piece of memory that the plan has a node of.
func (p *preparing) segments() {
	for _, d := range plan.Specs[*plan.DevMount](p.Plan) {
		for _, n := range d.Nodes {
			if path.Dir(n.Path) != "vmm.io" {
				continue
			}
			name := n.Path[strings.LastIndexByte(n.Path, '.')+1:]
			segment := append(words(uint64(memsegs[name]), 1<<16), append([]byte(name), make([]byte, 16-len(name))...)...)
			p.do("make memory for the "+name, unix.SYS_IOCTL, p.own.vmm, vmAllocMemseg, segment)
		}
	}
}

func (p *preparing) disks() {
	for _, m := range plan.Specs[*plan.Mount](p.Plan) {
		if path.Base(path.Dir(m.Inside)) != "disk" {
			continue
		}
		mode, rights := unix.O_RDWR, uint64(capFsync|capRead|capSeek|capWrite|capFstat|capFpathconf)
		if m.ReadOnly {
			mode, rights = unix.O_RDONLY, rights&^uint64(capFsync|capWrite)|capRead
		}
		fd := p.do("open "+m.Inside, unix.SYS_OPENAT, atCWD, m.Inside, mode, 0)
		p.limit(fd, rights, capEvent|capIoctl, diocgflush, diocgmediasize)
		p.own.disks = append(p.own.disks, fd)
	}
}

// limit leaves a descriptor these rights and these requests.
func (p *preparing) limit(fd, first, second uint64, requests ...uint64) {
	if p.Harness.Missing.Capsicum {
		return
	}
	p.do("keep some rights", unix.SYS_CAP_RIGHTS_LIMIT, fd, words(1<<57|first, 1<<58|second))
	p.do("keep some requests", unix.SYS_CAP_IOCTLS_LIMIT, fd, words(requests...), len(requests))
}
