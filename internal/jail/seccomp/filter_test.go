package seccomp

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
	"pgregory.net/rapid"
)

// data is struct seccomp_data. The BPF machine reads big-endian words where the kernel reads the
// machine's own, so each word is laid down so.
type data struct {
	number uint32
	arch   uint32
	args   [6]uint64
}

func (d data) bytes() []byte {
	b := make([]byte, 64)
	binary.BigEndian.PutUint32(b[0:], d.number)
	binary.BigEndian.PutUint32(b[4:], d.arch)
	for i, a := range d.args {
		binary.BigEndian.PutUint32(b[16+8*i:], uint32(a))
		binary.BigEndian.PutUint32(b[20+8*i:], uint32(a>>32))
	}
	return b
}

// The architectures calls come from. x32 is amd64 with bit 30.
const (
	auditAMD64 = 0xc000003e
	auditI386  = 0x40000003
	auditARM64 = 0xc00000b7
	auditARM   = 0x40000028
)

// model says what a table means, in the plainest way: no numbers sorted, no jumps.
func model(p Policy, a Arch, d data) (phases, calls uint32) {
	switch {
	case d.arch != a.audit:
		return retKill, retKill
	case a.Name == "amd64" && d.number >= 0x40000000:
		return retENOSYS, retENOSYS
	case d.number >= firstUnknown:
		return retAllow, retENOSYS
	}
	phases, calls = retAllow, retEPERM
	best := Phase(255)
	for _, row := range p.Rows {
		n, ok := a.Number(row.Call)
		if !ok || n != d.number || !holds(row, d) || row.Phase >= best {
			continue
		}
		best = row.Phase
		phases, calls = retAllow, retAllow
		if row.Phase == Start || row.Phase == Once {
			phases = retNotify
		}
		if row.Phase == Absent {
			calls = retENOSYS
		}
	}
	return phases, calls
}

func holds(row Row, d data) bool {
	for _, c := range row.When {
		found := false
		for _, v := range c.In {
			if c.Width == Int {
				found = found || uint32(d.args[c.Arg])&uint32(c.Mask) == uint32(v)
			} else {
				found = found || d.args[c.Arg]&c.Mask == v
			}
		}
		if !found {
			return false
		}
	}
	return true
}

type machine struct{ phases, calls *bpf.VM }

func load(t testing.TB, p Policy, a Arch) machine {
	t.Helper()
	filters, err := p.Compile(a)
	if err != nil {
		t.Fatal(err)
	}
	vm := func(f Filter) *bpf.VM {
		code, ok := bpf.Disassemble(f)
		if !ok {
			t.Fatal("an instruction does not read back")
		}
		m, err := bpf.NewVM(code)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	return machine{vm(filters.Phases), vm(filters.Calls)}
}

func (m machine) run(t testing.TB, d data) (phases, calls uint32) {
	t.Helper()
	b := d.bytes()
	x, err := m.phases.Run(b)
	if err != nil {
		t.Fatal(err)
	}
	y, err := m.calls.Run(b)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(x), uint32(y)
}

// boundaries are all values the table compares with, their neighbours, and each with something in
// the half of the register that a careless filter does not read.
func boundaries(p Policy) []uint64 {
	set := map[uint64]bool{0: true, ^uint64(0): true, 1 << 31: true, 1 << 32: true}
	for _, row := range p.Rows {
		for _, c := range row.When {
			for _, v := range c.In {
				for _, w := range []uint64{v, v - 1, v + 1, v | 1<<32, v | 1<<63, v ^ (c.Mask &^ v & -(c.Mask &^ v))} {
					set[w] = true
				}
			}
		}
	}
	var out []uint64
	for v := range set {
		out = append(out, v)
	}
	return out
}

func policies() map[string]Policy {
	return map[string]Policy{
		"nothing": {},
		"bare":    QEMU(),
		"tcg":     QEMU(Disk, NIC, TCG),
		"all":     QEMU(Disk, NIC, KVM, TCG, Screen),
	}
}

// Every call number on every architecture, with each boundary value in each argument that a row
// looks at, does what the table says.
func TestFiltersAgainstModel(t *testing.T) {
	for name, p := range policies() {
		values := boundaries(p)
		for _, a := range []Arch{AMD64, ARM64} {
			m := load(t, p, a)
			bad := 0
			check := func(d data) {
				phases, calls := m.run(t, d)
				wantPhases, wantCalls := model(p, a, d)
				if (phases != wantPhases || calls != wantCalls) && bad < 5 {
					bad++
					t.Errorf("%s on %s: call %d of %#x with %#x: %#x and %#x, want %#x and %#x",
						name, a.Name, d.number, d.arch, d.args, phases, calls, wantPhases, wantCalls)
				}
			}
			looked := map[uint32]bool{}
			for _, row := range p.Rows {
				if n, ok := a.Number(row.Call); ok && len(row.When) > 0 {
					looked[n] = true
				}
			}
			for n := range uint32(1024) {
				for _, arch := range []uint32{auditAMD64, auditI386, auditARM64, auditARM, 0} {
					check(data{number: n, arch: arch})
				}
				check(data{number: n | 0x40000000, arch: auditAMD64})
				check(data{number: n | 0x80000000, arch: a.audit})
				if looked[n] {
					for _, v := range values {
						for i := range 4 {
							d := data{number: n, arch: a.audit}
							d.args[i] = v
							check(d)
						}
					}
				}
			}
		}
	}
}

func TestFiltersAgainstModelAtRandom(t *testing.T) {
	p := QEMU(Disk, NIC, KVM, TCG, Screen)
	values := boundaries(p)
	m := map[string]machine{"amd64": load(t, p, AMD64), "arm64": load(t, p, ARM64)}
	rapid.Check(t, func(r *rapid.T) {
		a := rapid.SampledFrom([]Arch{AMD64, ARM64}).Draw(r, "arch")
		d := data{number: rapid.Uint32Range(0, 500).Draw(r, "number"), arch: a.audit}
		for i := range d.args {
			d.args[i] = rapid.OneOf(rapid.SampledFrom(values), rapid.Uint64()).Draw(r, "arg")
		}
		phases, calls := m[a.Name].run(t, d)
		wantPhases, wantCalls := model(p, a, d)
		if phases != wantPhases || calls != wantCalls {
			r.Fatalf("%+v: %#x and %#x, want %#x and %#x", d, phases, calls, wantPhases, wantCalls)
		}
	})
}

// What may be asked of the kernel by the very calls that matter, spelled out: a mistake in the
// table would be one in the model too.
func TestWhatMatters(t *testing.T) {
	m := load(t, QEMU(Disk, NIC, KVM, TCG, Screen), AMD64)
	const allow, ask, eperm, enosys = retAllow, retNotify, retEPERM, retENOSYS
	for _, row := range []struct {
		what   string
		number uint32
		args   [6]uint64
		phases uint32
		calls  uint32
	}{
		{"execve", 59, [6]uint64{}, ask, allow},
		{"execveat", 322, [6]uint64{}, allow, eperm},
		{"fork", 57, [6]uint64{}, allow, eperm},
		{"vfork", 58, [6]uint64{}, allow, eperm},
		{"clone of a process", 56, [6]uint64{17}, allow, eperm},
		{"clone of a thread", 56, [6]uint64{0x3d0f00}, allow, allow},
		{"clone of a thread in a new user namespace", 56, [6]uint64{0x3d0f00 | 0x10000000}, allow, eperm},
		{"clone3", 435, [6]uint64{}, allow, enosys},
		{"mmap of W+X", 9, [6]uint64{0, 4096, 6}, allow, eperm},
		{"mmap of R+X", 9, [6]uint64{0, 4096, 5}, ask, allow},
		{"mmap of R+W", 9, [6]uint64{0, 4096, 3}, allow, allow},
		{"mprotect to R+X", 10, [6]uint64{0, 4096, 5}, allow, eperm},
		{"mprotect to R+W", 10, [6]uint64{0, 4096, 3}, allow, allow},
		{"pkey_mprotect", 329, [6]uint64{}, allow, eperm},
		{"madvise MERGEABLE", 28, [6]uint64{0, 0, 12}, allow, eperm},
		{"socket", 41, [6]uint64{}, allow, eperm},
		{"connect", 42, [6]uint64{}, allow, eperm},
		{"bind", 49, [6]uint64{}, allow, eperm},
		{"listen", 50, [6]uint64{}, ask, allow},
		{"openat", 257, [6]uint64{}, ask, allow},
		{"open", 2, [6]uint64{}, allow, eperm},
		{"openat2", 437, [6]uint64{}, allow, eperm},
		{"ptrace", 101, [6]uint64{}, allow, eperm},
		{"process_vm_writev", 311, [6]uint64{}, allow, eperm},
		{"bpf", 321, [6]uint64{}, allow, eperm},
		{"userfaultfd", 323, [6]uint64{}, allow, eperm},
		{"io_uring_setup", 425, [6]uint64{}, allow, enosys},
		{"io_uring_enter", 426, [6]uint64{}, allow, eperm},
		{"unshare", 272, [6]uint64{}, allow, eperm},
		{"mount", 165, [6]uint64{}, allow, eperm},
		{"keyctl", 250, [6]uint64{}, allow, eperm},
		{"prctl", 157, [6]uint64{}, allow, eperm},
		{"prlimit64 to set", 302, [6]uint64{0, 7, 1}, allow, eperm},
		{"prlimit64 to get", 302, [6]uint64{0, 7, 0}, ask, allow},
		{"ioctl KVM_RUN", 16, [6]uint64{0, 0xae80}, allow, allow},
		{"ioctl KVM_CREATE_VM", 16, [6]uint64{0, 0xae01}, ask, allow},
		{"ioctl TIOCSTI", 16, [6]uint64{0, 0x5412}, allow, eperm},
		{"ioctl TIOCSTI with a high word", 16, [6]uint64{0, 0x5412 | 1<<32}, allow, eperm},
		{"ioctl TUNSETIFF", 16, [6]uint64{0, 0x400454ca}, allow, eperm},
		{"fcntl F_SETOWN", 72, [6]uint64{3, 8}, allow, eperm},
		{"a call of next year", 600, [6]uint64{}, allow, enosys},
	} {
		phases, calls := m.run(t, data{number: row.number, arch: auditAMD64, args: row.args})
		if phases != row.phases || calls != row.calls {
			t.Errorf("%s: %#x and %#x, want %#x and %#x", row.what, phases, calls, row.phases, row.calls)
		}
	}
}

func TestRows(t *testing.T) {
	for _, row := range qemu {
		if row.Reason == "" {
			t.Errorf("%s has no reason", row.Call)
		}
		if !Known(row.Call) {
			t.Errorf("%s has no number", row.Call)
		}
	}
	if _, err := (Policy{Rows: []Row{{Call: "raed"}}}).Compile(AMD64); err == nil {
		t.Error("a misspelt call compiles")
	}
}

// The launcher makes these between the two filters; asking for them there would wait for ever.
func TestHandoverIsNotAsked(t *testing.T) {
	for name, p := range policies() {
		for _, call := range []string{"sendmsg", "close"} {
			for _, a := range []Arch{AMD64, ARM64} {
				n, _ := a.Number(call)
				if phases, _ := load(t, p, a).run(t, data{number: n, arch: a.audit}); phases != retAllow {
					t.Errorf("%s on %s: %s is asked for", name, a.Name, call)
				}
			}
		}
	}
}
