package host

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/layer"
)

func linuxRef(t *testing.T, change ...func(*Facts)) Facts {
	t.Helper()
	f, err := Reference("linux")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

func TestChooseAccel(t *testing.T) {
	const sum = "5ca1ab1e"
	kvm := func(k KVM) func(*Facts) { return func(f *Facts) { f.Linux.KVM = k } }
	works := KVM{Present: true, Opens: true, Tried: true, Works: true}
	refused := works
	refused.Refused, refused.Boot = []string{"0", sum}, sum
	other := works
	other.Refused, other.Boot = []string{"0"}, sum
	pick := works
	pick.CPU = "max,arch-capabilities=off"
	for name, tt := range map[string]struct {
		ask     cell.Accel
		change  func(*Facts)
		want    cell.Accel // "" is an error
		notice  string     // a part of it; "" is none
		untried bool
		hint    string
	}{
		"auto, works":             {cell.AccelAuto, kvm(works), cell.AccelKVM, "", false, ""},
		"auto, with a model":      {cell.AccelAuto, kvm(pick), cell.AccelKVM, "", false, ""},
		"auto, no node":           {cell.AccelAuto, kvm(KVM{}), cell.AccelTCG, "no /dev/kvm", false, ""},
		"auto, closed":            {cell.AccelAuto, kvm(KVM{Present: true, Why: "open /dev/kvm: permission denied"}), cell.AccelTCG, "permission denied", false, ""},
		"auto, lies":              {cell.AccelAuto, kvm(KVM{Present: true, Opens: true, Tried: true, Why: "internal error"}), cell.AccelTCG, "internal error", false, ""},
		"auto, untried":           {cell.AccelAuto, kvm(KVM{Present: true, Opens: true}), cell.AccelTCG, "not tried", true, ""},
		"auto, refused":           {cell.AccelAuto, kvm(refused), cell.AccelTCG, "failed on this firmware", false, ""},
		"auto, another refused":   {cell.AccelAuto, kvm(other), cell.AccelKVM, "", false, ""},
		"auto, another processor": {cell.AccelAuto, func(f *Facts) { f.Arch = "arm64" }, cell.AccelTCG, "arm64", false, ""},
		"kvm, works":              {cell.AccelKVM, kvm(works), cell.AccelKVM, "", false, ""},
		"kvm, untried":            {cell.AccelKVM, kvm(KVM{Present: true, Opens: true}), cell.AccelKVM, "", true, ""},
		"kvm, refused":            {cell.AccelKVM, kvm(refused), cell.AccelKVM, "asks for it all the same", false, ""},
		"kvm, no node":            {cell.AccelKVM, kvm(KVM{}), "", "", false, "modprobe"},
		"kvm, closed":             {cell.AccelKVM, kvm(KVM{Present: true}), "", "", false, "usermod -aG kvm"},
		"kvm, lies":               {cell.AccelKVM, kvm(KVM{Present: true, Opens: true, Tried: true}), "", "", false, "tcg"},
		"kvm, another processor":  {cell.AccelKVM, func(f *Facts) { f.Arch = "arm64" }, "", "", false, "tcg"},
		"tcg":                     {cell.AccelTCG, kvm(works), cell.AccelTCG, "", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := linuxRef(t, tt.change)
			got, err := ChooseAccel(&cell.Cell{Name: "c", Accel: tt.ask}, f)
			if tt.want == "" {
				if fault.CodeOf(err) != fault.Host || !strings.Contains(fault.HintOf(err), tt.hint) {
					t.Errorf("%v, hint %q", err, fault.HintOf(err))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Accel != tt.want || got.Untried != tt.untried || (got.Notice == "") != (tt.notice == "") || !strings.Contains(got.Notice, tt.notice) {
				t.Errorf("%+v", got)
			}
			if got.Accel == cell.AccelKVM && got.CPU != f.Linux.KVM.CPU {
				t.Error("the model that ran is not used:", got.CPU)
			}
			if len(got.Why) == 0 || strings.Contains(got.Notice, "\n") {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestChooseLayers(t *testing.T) {
	c := &cell.Cell{Name: "c"}
	d, err := ChooseLayers(c, linuxRef(t))
	if err != nil || len(d) != len(layer.Table) {
		t.Fatal(d, err)
	}
	noCPU := linuxRef(t, func(f *Facts) {
		f.Linux.Layers[layer.CgroupCPU] = layer.Probe{State: layer.Lacking, Detail: "not there"}
	})
	if _, err := ChooseLayers(c, noCPU); err != nil {
		t.Error("a limit nobody asked for stops the start:", err)
	}
	c.Jail.Limits.CPU = 50
	if _, err := ChooseLayers(c, noCPU); fault.CodeOf(err) != fault.Jail || fault.HintOf(err) == "" {
		t.Error(err)
	}
	var missing *layer.MissingError
	if _, err := ChooseLayers(c, noCPU); !errors.As(err, &missing) {
		t.Error("the cause is hidden:", err)
	}
	c.Jail.AllowMissing = []string{"cgroup-cpu"}
	if _, err := ChooseLayers(c, noCPU); err != nil {
		t.Error(err)
	}
	ubuntu := linuxRef(t, func(f *Facts) {
		f.EUID, f.Linux.UserNSRestricted = 1000, true
		f.Linux.Layers[layer.UserNamespace] = layer.Probe{State: layer.Lacking}
	})
	if _, err := ChooseLayers(c, ubuntu); !strings.Contains(fault.HintOf(err), "apparmor_restrict_unprivileged_userns") {
		t.Error("Ubuntu's own hint is missing:", fault.HintOf(err))
	}
	if _, err := ChooseLayers(c, Facts{OS: "linux", Linux: &Linux{}}); err == nil {
		t.Error("a host that nobody probed has all layers")
	}
}

func TestChooseIdentity(t *testing.T) {
	type numbers struct {
		Mapping  string
		UID, GID int
	}
	sub := func(count int) func(*Facts) {
		return func(f *Facts) {
			f.EUID, f.EGID, f.Slots.Count = 1000, 1000, 100
			f.Linux.SubID = &SubID{100000, count, 300000, count}
			f.Slots.Count = f.Linux.SubID.Fit(f.Slots.Count)
		}
	}
	for name, tt := range map[string]struct {
		change func(*Facts)
		slot   int
		want   numbers
	}{
		"root":              {func(*Facts) {}, 7, numbers{"root", 2_100_000_007, 2_100_000_007}},
		"subuid":            {sub(65536), 7, numbers{"subuid", 132775, 332775}},
		"a small range":     {sub(120), 99, numbers{"subuid", 100119, 300119}},
		"a very small one":  {sub(1), 0, numbers{"subuid", 100000, 300000}},
		"own":               {func(f *Facts) { f.EUID, f.EGID = 1000, 1001 }, 7, numbers{"own", 1000, 1001}},
		"freebsd":           {func(f *Facts) { f.Linux = nil }, 0, numbers{"root", 2_100_000_000, 2_100_000_000}},
		"root with a range": {func(f *Facts) { f.Linux.SubID = &SubID{1, 1, 1, 1} }, 0, numbers{"root", 2_100_000_000, 2_100_000_000}},
	} {
		got := ChooseIdentity(linuxRef(t, tt.change), tt.slot)
		if d := cmp.Diff(tt.want, numbers{got.Mapping, got.UID, got.GID}); d != "" {
			t.Error(name, d)
		}
		if len(got.Why) == 0 {
			t.Error(name, "no reason")
		}
	}
	// No two slots share a number, and none leaves the range.
	f := linuxRef(t, sub(150))
	seen := map[int]bool{}
	for s := range f.Slots.Count {
		id := ChooseIdentity(f, s)
		if seen[id.UID] || id.UID < 100000 || id.UID >= 100150 {
			t.Fatal(s, id)
		}
		seen[id.UID] = true
	}
}

func TestReady(t *testing.T) {
	free := func(change func(*Facts)) Facts {
		f, err := Reference("freebsd")
		if err != nil {
			t.Fatal(err)
		}
		change(&f)
		return f
	}
	uefi := &cell.Cell{Name: "c", Boot: cell.Boot{Kind: cell.BootUEFI}}
	for name, tt := range map[string]struct {
		f    Facts
		hint string // "" is ready
	}{
		"linux":                {linuxRef(t), ""},
		"linux without QEMU":   {linuxRef(t, func(f *Facts) { f.Linux.QEMU = nil }), "apt install qemu-system-x86"},
		"fedora without QEMU":  {linuxRef(t, func(f *Facts) { f.Linux.QEMU, f.Distro = nil, "fedora" }), "dnf install qemu-system-x86-core"},
		"linux without OVMF":   {linuxRef(t, func(f *Facts) { f.Linux.OVMF = nil }), "apt install ovmf"},
		"no user namespaces":   {linuxRef(t, func(f *Facts) { f.EUID, f.Linux.UserNSOff = 1, "user.max_user_namespaces=0" }), "user.max_user_namespaces=10000"},
		"freebsd":              {free(func(*Facts) {}), ""},
		"no bhyve":             {free(func(f *Facts) { f.FreeBSD.Bhyve = nil }), "FreeBSD-bhyve"},
		"vmm not loaded":       {free(func(f *Facts) { f.FreeBSD.VMM = false }), "kldload vmm"},
		"no VT-x":              {free(func(f *Facts) { f.FreeBSD.VMM, f.FreeBSD.CPU = false, "" }), "VT-x or AMD-V"},
		"in a jail":            {free(func(f *Facts) { f.FreeBSD.Jailed = true }), "children.max"},
		"in a jail, no vmm":    {free(func(f *Facts) { f.FreeBSD.Jailed, f.FreeBSD.VMM = true, false }), "on the host: kldload vmm"},
		"an ordinary user":     {free(func(f *Facts) { f.EUID = 1001 }), "as root"},
		"freebsd without edk2": {free(func(f *Facts) { f.FreeBSD.Firmware = nil }), "pkg install edk2-bhyve"},
	} {
		err := Ready(uefi, tt.f)
		if (err == nil) != (tt.hint == "") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err != nil && (fault.CodeOf(err) != fault.Host || !strings.Contains(fault.HintOf(err), tt.hint)) {
			t.Errorf("%s: %v, hint %q", name, err, fault.HintOf(err))
		}
	}
	if err := Ready(uefi, Facts{OS: "plan9"}); err == nil {
		t.Error("plan9 is ready")
	}
}

func TestReference(t *testing.T) {
	for _, os := range []string{"linux", "freebsd"} {
		f, err := Reference(os)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Reference(os)
		if d := cmp.Diff(f, again); d != "" {
			t.Error("not the same twice:", d)
		}
		// It is what a command on another machine reads with --host.
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var back Facts
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(f, back); d != "" {
			t.Error("JSON loses something:", d)
		}
		if s := Worst(Doctor(f)); s == Fail {
			t.Error(os, "is a sick reference:", Doctor(f))
		}
		c := &cell.Cell{Name: "c", Boot: cell.Boot{Kind: cell.BootUEFI}}
		if err := Ready(c, f); err != nil {
			t.Error(err)
		}
		for _, files := range referenceFiles(f) {
			inside := map[string]bool{}
			for _, x := range files {
				if inside[x.Inside] {
					t.Errorf("%s: %s twice", os, x.Inside)
				}
				inside[x.Inside] = true
			}
		}
	}
	if _, err := Reference("plan9"); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

func referenceFiles(f Facts) [][]File {
	if f.Linux != nil {
		q := f.Linux.QEMU
		return [][]File{slices.Concat(q.Files, q.TCG, q.ROMs)}
	}
	b := f.FreeBSD.Bhyve
	return [][]File{slices.Concat(b.Files, b.ACPIFiles), b.Loader, b.Ctl}
}

func TestDoctor(t *testing.T) {
	sick := linuxRef(t, func(f *Facts) {
		f.EUID, f.EGID, f.Bridges = 1000, 1000, nil
		f.Slots.Clash = "user x has number 2100000001"
		f.Linux = &Linux{UserNSRestricted: true, Cgroup: Cgroup{Mode: CgroupNone, Why: "nothing is mounted"}}
	})
	rows := Doctor(sick)
	if Worst(rows) != Fail {
		t.Error(rows)
	}
	for _, topic := range []string{"qemu", "kvm", "uefi", "user namespaces", "identity", "cgroups", "tap", "layers", "uids"} {
		i := slices.IndexFunc(rows, func(r Row) bool { return r.Topic == topic })
		if i < 0 || rows[i].Status == OK || rows[i].Fact == "" || rows[i].Consequence == "" {
			t.Error(topic, "is not told:", rows)
		}
		if i >= 0 && rows[i].Fix == "" && topic != "layers" {
			t.Error(topic, "has no cure")
		}
	}
	well := Doctor(linuxRef(t))
	if Worst(well) != OK {
		t.Error(well)
	}
	if Worst(Doctor(Facts{OS: "plan9"})) != Fail {
		t.Error("plan9 is well")
	}
	old, _ := Reference("freebsd")
	if w := Worst(Doctor(old)); w != Warn {
		t.Error("14.2 has no vmmctl and a rule depth of 1; that should be told:", w)
	}
	old.FreeBSD = &FreeBSD{}
	if Worst(Doctor(old)) != Fail {
		t.Error(Doctor(old))
	}
}

// A software KVM is not trusted with a Linux kernel: it would hang, and a hang
// cannot be told from a slow guest.
func TestChooseAccelSoftwareKVM(t *testing.T) {
	f, err := Reference("linux")
	if err != nil {
		t.Fatal(err)
	}
	f.Linux.KVM.Software = true
	kernel := cell.Hello()
	kernel.Boot.Kind = cell.BootKernel
	for _, tt := range []struct {
		cell *cell.Cell
		want cell.Accel
	}{{kernel, cell.AccelTCG}, {cell.Hello(), cell.AccelKVM}} {
		a, err := ChooseAccel(tt.cell, f)
		if err != nil || a.Accel != tt.want {
			t.Errorf("%s: %v, %v; want %s", tt.cell.Boot.Kind, a.Accel, err, tt.want)
		}
		if (a.Notice == "") != (tt.want == cell.AccelKVM) {
			t.Errorf("%s: notice %q", tt.cell.Boot.Kind, a.Notice)
		}
	}
}
