package seccomp

import (
	"cmp"
	"encoding/binary"
	"slices"
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
func model(p Policy, a Arch, d data) uint32 {
	switch {
	case d.arch != a.audit:
		return retKill
	case a.Name == "amd64" && d.number >= 0x40000000:
		return retENOSYS
	case d.number >= firstUnknown:
		return retENOSYS
	}
	said, best := uint32(retNotify), Phase(255)
	for _, row := range p.Rows {
		n, ok := a.Number(row.Call)
		if !ok || n != d.number || !holds(row, d) || row.Phase >= best || row.Phase == Once {
			continue
		}
		best = row.Phase
		said = retAllow
		if row.Phase == Absent {
			said = retErrno | cmp.Or(row.Errno, enosys)
		}
	}
	return said
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
		if found == c.Not {
			return false
		}
	}
	return true
}

type machine struct{ *bpf.VM }

func load(t testing.TB, p Policy, a Arch) machine {
	t.Helper()
	filter, err := p.Compile(a)
	if err != nil {
		t.Fatal(err)
	}
	code, ok := bpf.Disassemble(filter)
	if !ok {
		t.Fatal("an instruction does not read back")
	}
	m, err := bpf.NewVM(code)
	if err != nil {
		t.Fatal(err)
	}
	return machine{m}
}

func (m machine) run(t testing.TB, d data) uint32 {
	t.Helper()
	said, err := m.Run(d.bytes())
	if err != nil {
		t.Fatal(err)
	}
	return uint32(said)
}

// boundaries are all values the table compares with, their neighbours, and each with something in
// the half of the register that a careless filter does not read.
func boundaries(p Policy) []uint64 {
	set := map[uint64]bool{0: true, ^uint64(0): true, 1 << 31: true, 1 << 32: true}
	for _, row := range slices.Concat(p.Rows, p.Never) {
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
		"image":   QEMUImg(),
		"go":      GoProgram(),
		"go all":  GoProgram(Sockets, Cgo),
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
				if got, want := m.run(t, d), model(p, a, d); got != want && bad < 5 {
					bad++
					t.Errorf("%s on %s: call %d of %#x with %#x: %#x, want %#x", name, a.Name, d.number, d.arch, d.args, got, want)
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
		if got, want := m[a.Name].run(t, d), model(p, a, d); got != want {
			r.Fatalf("%+v: %#x, want %#x", d, got, want)
		}
	})
}

// What may be asked of the kernel by the very calls that matter, spelled out: a mistake in the
// table would be one in the model too.
func TestWhatMatters(t *testing.T) {
	p := QEMU(Disk, NIC, KVM, TCG, Screen)
	m := load(t, p, AMD64)
	const (
		run    = "run"    // for its whole life
		start  = "start"  // until its guest runs
		never  = "never"  // EPERM in the start, too
		absent = "absent" // ENOSYS in both
	)
	for _, row := range []struct {
		what   string
		number uint32
		args   [6]uint64
		want   string
	}{
		{"fork", 57, [6]uint64{}, never},
		{"vfork", 58, [6]uint64{}, never},
		{"clone of a process", 56, [6]uint64{17}, never},
		{"clone of a thread", 56, [6]uint64{0x3d0f00}, run},
		{"clone of a thread of another libc", 56, [6]uint64{0x7d0f00}, start},
		{"clone of a thread in a new user namespace", 56, [6]uint64{0x3d0f00 | 0x10000000}, never},
		{"clone3", 435, [6]uint64{}, absent},
		{"mmap of W+X", 9, [6]uint64{0, 4096, 6}, never},
		{"mmap of R+W+X", 9, [6]uint64{0, 4096, 7}, never},
		{"mmap of R+X", 9, [6]uint64{0, 4096, 5}, start},
		{"mmap of R+W", 9, [6]uint64{0, 4096, 3}, run},
		{"mprotect to R+X", 10, [6]uint64{0, 4096, 5}, never},
		{"mprotect to R+W", 10, [6]uint64{0, 4096, 3}, run},
		{"pkey_mprotect", 329, [6]uint64{}, never},
		{"shmat to execute", 30, [6]uint64{0, 0, 0o100000}, never},
		{"madvise MERGEABLE", 28, [6]uint64{0, 0, 12}, never},
		{"madvise COLLAPSE", 28, [6]uint64{0, 0, 25}, start},
		{"socket", 41, [6]uint64{}, never},
		{"connect", 42, [6]uint64{}, never},
		{"bind", 49, [6]uint64{}, never},
		{"listen", 50, [6]uint64{}, start},
		{"getsockopt SO_TYPE", 55, [6]uint64{9, 1, 3}, run},
		{"getsockopt SO_PEERCRED", 55, [6]uint64{9, 1, 17}, start},
		{"getpeername", 52, [6]uint64{}, "unconnected"},
		{"unlink", 87, [6]uint64{}, "not there"},
		{"unlinkat", 263, [6]uint64{}, start},
		{"getsockopt of TCP", 55, [6]uint64{9, 6, 3}, start},
		{"memfd_create of a surface", 319, [6]uint64{0, 1}, run},
		{"memfd_create of huge pages", 319, [6]uint64{0, 5}, start},
		{"ftruncate of a surface", 77, [6]uint64{9, 3 << 20}, run},
		{"ftruncate to a terabyte", 77, [6]uint64{9, 1 << 40}, start},
		{"fallocate", 285, [6]uint64{9, 0}, run},
		{"fallocate of a hole", 285, [6]uint64{9, 3}, run},
		{"fallocate of zeros", 285, [6]uint64{9, 16}, run},
		{"fallocate of zeros behind the end", 285, [6]uint64{9, 17}, start},
		{"fallocate behind the end", 285, [6]uint64{9, 1}, start},
		{"fallocate that moves data", 285, [6]uint64{9, 8}, start},
		{"openat", 257, [6]uint64{}, start},
		{"open", 2, [6]uint64{}, start},
		{"openat2", 437, [6]uint64{}, start},
		{"fstat", 5, [6]uint64{}, start},
		{"newfstatat", 262, [6]uint64{}, start},
		{"ptrace", 101, [6]uint64{}, never},
		{"process_vm_writev", 311, [6]uint64{}, never},
		{"bpf", 321, [6]uint64{}, never},
		{"userfaultfd", 323, [6]uint64{}, never},
		{"io_uring_setup", 425, [6]uint64{}, absent},
		{"io_uring_enter", 426, [6]uint64{}, never},
		{"unshare", 272, [6]uint64{}, never},
		{"mount", 165, [6]uint64{}, never},
		{"keyctl", 250, [6]uint64{}, never},
		{"seccomp", 317, [6]uint64{}, never},
		{"prctl PR_SET_NAME", 157, [6]uint64{15}, start},
		{"prctl PR_SET_MEMORY_MERGE", 157, [6]uint64{67, 1}, never},
		{"prlimit64 to set", 302, [6]uint64{0, 7, 1}, never},
		{"prlimit64 to get", 302, [6]uint64{0, 7, 0}, start},
		{"personality to ask", 135, [6]uint64{0xffffffff}, start},
		{"personality to set", 135, [6]uint64{0x400000}, never},
		{"ioctl KVM_RUN", 16, [6]uint64{0, 0xae80}, run},
		{"ioctl KVM_CREATE_VM", 16, [6]uint64{0, 0xae01}, start},
		{"ioctl TIOCSTI", 16, [6]uint64{0, 0x5412}, never},
		{"ioctl TIOCSTI with a high word", 16, [6]uint64{0, 0x5412 | 1<<32}, never},
		{"ioctl TUNSETIFF", 16, [6]uint64{0, 0x400454ca}, never},
		{"fcntl F_SETOWN", 72, [6]uint64{3, 8}, start},
		{"a call of next year", 600, [6]uint64{}, absent},
	} {
		said := m.run(t, data{number: row.number, arch: auditAMD64, args: row.args})
		_, banned := p.Refuses(AMD64, row.number, row.args)
		got := map[uint32]string{retAllow: run, retENOSYS: absent, retNotify: start,
			retErrno | enotconn: "unconnected", retErrno | enoent: "not there"}[said]
		if said == retNotify && banned {
			got = never
		}
		if got != row.want {
			t.Errorf("%s: %s (%#x), want %s", row.what, got, said, row.want)
		}
	}
	for _, call := range []string{"execve", "execveat"} {
		if n, _ := AMD64.Number(call); m.run(t, data{number: n, arch: auditAMD64}) != retNotify {
			t.Errorf("%s is not asked about", call)
		}
	}
}

func TestRows(t *testing.T) {
	for _, row := range slices.Concat(qemu, never) {
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

// What the start may never do, the run does not do either: no row allows what one of never bans.
func TestNeverIsNotAllowedLater(t *testing.T) {
	p := QEMU(Disk, NIC, KVM, TCG, Screen, Debug)
	values := boundaries(p)
	for _, a := range []Arch{AMD64, ARM64} {
		m := load(t, p, a)
		for _, row := range p.Never {
			n, ok := a.Number(row.Call)
			if !ok {
				continue
			}
			for _, v := range values {
				args := [6]uint64{v, v, v, v, v, v}
				if _, banned := p.Refuses(a, n, args); banned && m.run(t, data{number: n, arch: a.audit, args: args}) == retAllow {
					t.Errorf("%s on %s with %#x is banned from the start and allowed in the run", row.Call, a.Name, v)
				}
			}
		}
	}
}

// Refuses looks at the calls as the plain model of a row does, for each number and each value that a
// row looks at.
func TestRefuses(t *testing.T) {
	p := QEMU()
	for _, a := range []Arch{AMD64, ARM64} {
		for n := range uint32(firstUnknown) {
			for _, v := range boundaries(p) {
				d := data{number: n, arch: a.audit, args: [6]uint64{v, v, v, v, v, v}}
				want := slices.ContainsFunc(p.Never, func(r Row) bool {
					at, ok := a.Number(r.Call)
					return ok && at == n && holds(r, d)
				})
				if _, got := p.Refuses(a, n, d.args); got != want {
					t.Fatalf("%s on %s with %#x: %v, want %v", a.CallName(n), a.Name, v, got, want)
				}
			}
		}
	}
}

// The launcher makes these after the filter is on; a question about them would wait for ever.
func TestHandoverIsNotAsked(t *testing.T) {
	for name, p := range policies() {
		if name == "nothing" {
			continue
		}
		for _, call := range []string{"sendmsg", "close"} {
			for _, a := range []Arch{AMD64, ARM64} {
				n, _ := a.Number(call)
				if load(t, p, a).run(t, data{number: n, arch: a.audit}) != retAllow {
					t.Errorf("%s on %s: %s is asked for", name, a.Name, call)
				}
			}
		}
	}
}

// A program that is muted on a descriptor writes on every other one, and on that none.
func TestMute(t *testing.T) {
	p := GoProgram(Sockets).Mute(4)
	for _, arch := range []Arch{AMD64, ARM64} {
		m := load(t, p, arch)
		for _, call := range []string{"write", "pwrite64", "sendmsg"} {
			for fd, want := range map[uint64]uint32{3: retAllow, 4: retNotify, 5: retAllow, 1 << 32: retAllow, 1<<32 | 4: retNotify} {
				n, _ := arch.Number(call)
				d := data{number: n, arch: arch.audit, args: [6]uint64{fd}}
				if got := m.run(t, d); got != want {
					t.Errorf("%s on %d: %#x, want %#x", call, fd, got, want)
				}
			}
		}
	}
}
