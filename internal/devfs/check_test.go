package devfs

import (
	"slices"
	"strings"
	"testing"
)

func report(t *testing.T, sets Rulesets, number, depth int, own ...string) (Report, string) {
	t.Helper()
	r, err := Check(sets, number, depth, TypicalNodes(), own...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return r, b.String()
}

func TestCheckHandMadeRules(t *testing.T) {
	sets := load(t, "../stock.rules", "bhyve.rules").Sets
	r, text := report(t, sets, 25, DefaultDepth)
	if len(r.Unfollowed) != 3 || r.Hidden != 0 {
		t.Errorf("unfollowed %v, hidden %d", r.Unfollowed, r.Hidden)
	}
	for _, want := range []string{
		"rule set 25 (devfsrules_jail_bhyve), include depth 1: ",
		"warning: no rule that runs hides everything first",
		`warning: the kernel does not follow "include 1" in rule 100 of set 4: it is reached through rule 100 of set 25, and vfs.devfs.rule_depth is 1`,
		`warning: rule 600 of set 25 unhides "tap*", every node of that name, other jails' and later ones too (now: tap0 tap1)`,
		"danger: kmem             reads and writes the host's memory (no rule hides it)",
		"danger: vtbd0            is a disk of the host",
		"shown:  null             no rule hides it",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not in the report: %s\n%s", want, text)
		}
	}
	if mem, vmm := strings.Index(text, "danger: mem"), strings.Index(text, "danger: vmm/web"); mem > vmm {
		t.Error("the host's memory comes after a virtual machine")
	}
	if strings.Index(text, "shown:") < strings.LastIndex(text, "danger:") {
		t.Error("a harmless node comes before a dangerous one")
	}
}

func TestCheckFollowed(t *testing.T) {
	sets := load(t, "../stock.rules", "bhyve.rules").Sets
	r, text := report(t, sets, 25, 2, "vmm/web", "vmm.io/web.bootrom", "tap0", "zvol/tank/bhyve/web/disk-01", "nmdm-web-A")
	if len(r.Unfollowed) != 0 || strings.Contains(text, "no rule that runs hides") {
		t.Errorf("depth 2:\n%s", text)
	}
	var bad []string
	for _, f := range r.Dangerous {
		bad = append(bad, f.Path)
	}
	if got := strings.Join(bad, " "); got != "zfs nmdm-web-B tap1 fuse" {
		t.Errorf("dangerous: %s", got)
	}
	if !strings.Contains(text, "danger: tap1             is a network interface of the host: reads and forges what passes, if it is not this jail's own (unhidden by rule 600 of set 25)") {
		t.Error(text)
	}
}

func TestCheckEmptyAndVain(t *testing.T) {
	if r, text := report(t, Rulesets{}, 77, 1); !r.Empty || !strings.Contains(text, "has no rules, so it hides nothing") {
		t.Errorf("an empty set:\n%s", text)
	}
	l := new(Loader)
	l.Load("f", "[a=1]\nadd hide\nadd path 'vmm/*' unhide\n")
	if _, text := report(t, l.Sets, 1, 1); !strings.Contains(text, `warning: rule 200 of set 1 unhides "vmm/*" in vain: a directory above stays hidden`) {
		t.Error(text)
	}
}

func TestDangerous(t *testing.T) {
	for _, bad := range strings.Fields(`mem kmem io pci klog ada0 ada0p1 da0 nda0 nvd0 vtbd0 md0 cd0 geom.ctl bpf bpf0 kbd0 kbdmux0
		consolectl fd0 vmm/other vmm.io/other.bootrom nmdm0A nmdm-x-B tap3 zvol/tank/x/y/z acpi apm cpuctl0 smb0 iic0
		usb/0.1.0 ugen0.1 dri/card0 ipmi0 tpm0 xpt0 pass0 sndstat mlx5ctl vmmctl gpt/boot da0p3.eli zfs xen/xenbus`) {
		if why, ok := Dangerous(bad); !ok || why == "" {
			t.Errorf("%s is not dangerous", bad)
		}
	}
	for _, good := range strings.Fields("null zero random urandom full stdin stdout stderr fd/0 ptmx pts/3 ctty ttyp0 crypto") {
		if why, ok := Dangerous(good); ok {
			t.Errorf("%s %s", good, why)
		}
	}
}

// The worst stand first, and what is harmless not at all.
func TestWorst(t *testing.T) {
	got := Worst([]string{"null", "acpi", "tap0", "vtbd0", "mem", "full", "kmem"})
	if want := []string{"mem", "kmem", "vtbd0", "tap0", "acpi"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
