package plan

import (
	"hash/fnv"
	"path/filepath"
	"slices"
	"strconv"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/layout"
)

// builder collects resources in order.
type builder struct {
	cell *cell.Cell
	host host.Facts
	plan *Plan
}

func newBuilder(c *cell.Cell, h host.Facts) (*builder, error) {
	slot, err := pickSlot(c.Name, h.Slots)
	if err != nil {
		return nil, err
	}
	return &builder{c, h, &Plan{Version: Version, Name: c.Name, OS: h.OS, Slot: slot}}, nil
}

// add appends a resource. asked is its path in the cell file, or "".
func (b *builder) add(id, asked, why string, s Spec) {
	b.plan.Resources = append(b.plan.Resources, Resource{ID: id, For: asked, Why: why, Spec: s})
}

// pickSlot takes the slot that the name leads to, or the next free one. A cell
// that is alone on its host thus has the same uid at every start, and two
// hosts agree on it.
func pickSlot(name string, s host.Slots) (int, error) {
	if n, ok := s.Taken[name]; ok {
		return n, nil
	}
	taken := make(map[int]bool, len(s.Taken))
	for _, n := range s.Taken {
		taken[n] = true
	}
	sum := fnv.New32a()
	sum.Write([]byte(name))
	for i := range s.Count {
		n := (int(sum.Sum32()%uint32(max(s.Count, 1))) + i) % s.Count
		if !taken[n] {
			return n, nil
		}
	}
	return 0, fault.New(fault.Busy, "stop a cell, or widen the range with "+host.EnvUIDCount,
		"start another cell: all %d slots are taken", s.Count)
}

// RunDir is the directory of a running cell.
func RunDir(h host.Facts, name string) string { return h.Dirs.RunDir(name) }

// StateDir is the directory of what stays of a cell.
func StateDir(h host.Facts, name string) string { return h.Dirs.StateDir(name) }

// kept is a file in the state directory of the cell.
func (b *builder) kept(file string) string { return filepath.Join(StateDir(b.host, b.cell.Name), file) }

// TapName names the tap of network card n of the cell in a slot. Interface
// names hold 15 characters on both systems.
func TapName(slot, n int) string { return "skep" + strconv.Itoa(slot) + "n" + strconv.Itoa(n) }

// tapName is TapName, or on FreeBSD a number: a renamed tap keeps the device
// node of its old name there, and bhyve takes no other name.
func (b *builder) tapName(n int) string {
	if b.host.OS == "freebsd" {
		return "tap" + strconv.Itoa(tapNumber(b.plan.Slot, n))
	}
	return TapName(b.plan.Slot, n)
}

// TapTag marks a tap as the one of this cell's network card.
func TapTag(name, label string) string { return "skep tap " + name + " " + label }

// BridgeTag marks a bridge as made by skep.
func BridgeTag(bridge string) string { return "skep bridge " + bridge }

// network adds the bridges and taps, which are alike on both systems.
func (b *builder) network() {
	made := map[string]cell.Bridge{}
	for _, br := range b.cell.Bridges {
		made[br.Name] = br
	}
	seen := map[string]bool{}
	for _, n := range b.cell.NICs {
		if n.Bridge == "" || seen[n.Bridge] {
			continue
		}
		seen[n.Bridge] = true
		spec := &Bridge{OS: b.host.OS, Name: n.Bridge}
		asked, why := "nic."+n.Label+".bridge", "the admin's bridge, looked for and left alone"
		if br := made[n.Bridge]; br.Create {
			spec.Create, spec.Uplink, spec.Tag = true, br.Uplink, BridgeTag(n.Bridge)
			asked, why = "bridge."+n.Bridge, "made when it is missing, removed with its last tap"
			spec.VLANs = slices.ContainsFunc(b.cell.NICs, func(o cell.NIC) bool { return o.Bridge == n.Bridge && o.VLAN > 0 })
		}
		b.add("bridge:"+n.Bridge, asked, why, spec)
	}
	stack := ""
	for i, n := range b.cell.NICs {
		if n.UserSpace() && b.host.OS == onFreeBSD {
			if stack == "" {
				stack = StackJail(b.cell.Name)
				b.add("stack", "nic."+n.Label+".network", "a network stack that nobody uses; what the guest sends meets no address and no route", &Stack{Jail: stack})
			}
			b.add("tap:"+n.Label, "nic."+n.Label, "the host's side of network card "+n.Label,
				&Tap{OS: b.host.OS, Label: n.Label, Name: b.tapName(i), Tag: TapTag(b.cell.Name, n.Label), MAC: n.MAC, Stack: stack})
		}
		if n.UserSpace() {
			continue
		}
		if n.Tap != "" {
			b.add("tap:"+n.Label, "nic."+n.Label+".tap", "the admin's tap, opened and left alone",
				&Tap{OS: b.host.OS, Label: n.Label, Name: n.Tap, Admin: true, MAC: n.MAC})
			continue
		}
		tap := &Tap{OS: b.host.OS, Label: n.Label, Name: b.tapName(i), Bridge: n.Bridge, Tag: TapTag(b.cell.Name, n.Label), MAC: n.MAC,
			VLAN: n.VLAN, Isolated: n.Isolated, RateIn: n.RateIn, RateOut: n.RateOut}
		if b.host.OS == onLinux && n.Bridge != "" { // elsewhere no cell begins as another's clone
			tap.Claim = b.host.Dirs.CardClaim(n.Bridge, n.MAC)
		}
		b.add("tap:"+n.Label, "nic."+n.Label, "the host's side of network card "+n.Label, tap)
	}
}

// disks adds the disks in the file's order.
func (b *builder) disks() {
	own := LayersOf(b.host, b.cell.Name)
	for _, d := range b.cell.Drives() {
		if d.MadeAnew() {
			b.medium(d)
			continue
		}
		if d.Layered() {
			why := "what the guest writes; the base is only read"
			if d.Disposable {
				why = "what the guest writes, gone at the end; the base is only read"
			}
			b.add("layer:"+d.Label, d.Block(), why, own.layer(d))
		}
		b.add("disk:"+d.Label, d.Block(), "opened and locked outside", DiskOf(d, own))
	}
}

// medium adds an image that is made for the guest to read. A seed may hold passwords: it is on no disk where
// a descriptor is enough.
func (b *builder) medium(d cell.Disk) {
	s := &Medium{Label: d.Label, Seed: d.Made == cell.MadeSeed}
	if s.Seed && b.cell.Seed.SinkholeCA {
		s.CA = b.kept(layout.SinkholeCA)
	}
	why := "files of the host's for the guest to read, made anew at each start"
	switch {
	case !s.Seed:
		s.Volume, s.Path = d.Label, filepath.Join(StateDir(b.host, b.cell.Name), d.Label+MediumSuffix)
		for _, f := range b.cell.Files {
			if f.Label == d.Label {
				s.Paths = f.Paths
			}
		}
	default:
		s.Volume, why = SeedVolume, "what cloud-init in the guest asks for, made anew at each start"
		if b.host.OS == onFreeBSD {
			s.Path = filepath.Join(RunDir(b.host, b.cell.Name), d.Label+MediumSuffix)
		}
	}
	b.add("medium:"+d.Label, d.Block(), why, s)
}

// DiskOf is a disk of a cell file as a plan has it; own says where layers are.
func DiskOf(d cell.Disk, own Layers) *Disk {
	if d.Layered() {
		return &Disk{Label: d.Label, Type: DiskFile, Path: own.path(d), Format: own.Format, Layer: true, Disposable: d.Disposable}
	}
	s := &Disk{Label: d.Label, Format: d.Format, ReadOnly: d.ReadOnly, Create: d.Size, Reserved: d.Reserved, Results: d.Results}
	if s.Format == "" {
		s.Format = cell.FormatRaw
	}
	switch {
	case d.Zvol != "":
		s.Type, s.Dataset, s.Path = DiskZvol, d.Zvol, "/dev/zvol/"+d.Zvol
	case d.ISO != "":
		s.Type, s.Path, s.ReadOnly = DiskISO, d.ISO, true
	case d.Device != "":
		s.Type, s.Path = DiskDevice, d.Device
	case d.Made == cell.MadeResults:
		s.Type, s.Path = DiskFile, own.Dirs.Results(own.Cell, d.Label)
	default:
		s.Type, s.Path = DiskFile, d.File
	}
	return s
}

// preflight says what no host of this size can give. It keeps no plan from
// being made.
func (b *builder) preflight() (wrong Problems) {
	c, h := b.cell, b.host
	if h.Memory > 0 && int64(c.Memory) > h.Memory {
		return append(b.rootsOnly(), Located(c, "memory", fault.New(fault.Input, "lower memory in the cell file",
			"give %s %s of memory: the host has only %s", c.Name, c.Memory, cell.Size(h.Memory-h.Memory%int64(cell.MiB)))))
	}
	return append(b.rootsOnly(), b.inJob()...)
}

// inJob says what the job has not got that the cell runs for. The system would kill such a cell in the middle.
func (b *builder) inJob() (wrong Problems) {
	c, j := b.cell, b.host.Job
	var limit int64
	if b.host.Linux != nil {
		limit = b.host.Linux.Cgroup.Limit
	}
	var cpus int
	if j != nil {
		cpus = j.CPUs
		if j.Memory > 0 && (limit == 0 || j.Memory < limit) {
			limit = j.Memory
		}
	}
	if all := c.Memory + c.Jail.Limits.MemoryOverhead; limit > 0 && int64(all) > limit {
		wrong.add(Located(c, "memory", fault.New(fault.Input, "skep plan --as sbatch says what a job needs; or lower memory",
			"give %s %s of memory and %s around it: its job has only %s", c.Name, c.Memory, c.Jail.Limits.MemoryOverhead,
			cell.Size(limit-limit%int64(cell.MiB)))))
	}
	if cpus > 0 && c.CPUs > cpus {
		wrong.add(Located(c, "cpus", fault.New(fault.Input, "ask for more in the job, or lower cpus",
			"give %s %d processors: its job has only %d", c.Name, c.CPUs, cpus)))
	}
	return wrong
}
