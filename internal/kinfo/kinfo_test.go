package kinfo

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// raw is a structure of the kernel's, written by offsets as C lays it out.
type raw []byte

func newRaw(size int) raw {
	b := make(raw, size)
	return b.u32(0, uint32(size))
}
func (b raw) u16(at int, v uint16) raw    { binary.LittleEndian.PutUint16(b[at:], v); return b }
func (b raw) u32(at int, v uint32) raw    { binary.LittleEndian.PutUint32(b[at:], v); return b }
func (b raw) u64(at int, v uint64) raw    { binary.LittleEndian.PutUint64(b[at:], v); return b }
func (b raw) text(at int, s string) raw   { copy(b[at:], s); return b }
func (b raw) bytes(at int, s ...byte) raw { copy(b[at:], s); return b }

// Offsets are written out here once more: those of the code are not used to
// test the code.
func rawProc() raw {
	return newRaw(1088).u32(72, 77).u32(76, 1).u32(168, 5).u32(172, 6).u32(176, 7).u32(180, 8).u32(184, 9).
		u16(188, 2).u32(192, 0).u32(196, 5).u64(336, 10).u64(344, 3).text(447, "bhyve").u32(588, 1).u32(592, 4).u32(596, 12)
}

func TestParseProc(t *testing.T) {
	p, err := ParseProc(rawProc())
	if err != nil {
		t.Fatal(err)
	}
	want := Proc{PID: 77, Parent: 1, Comm: "bhyve", Start: 10_000_003, UID: 5, RUID: 6, SVUID: 7, RGID: 8, SVGID: 9,
		Groups: []int{0, 5}, JID: 4, Threads: 12, Capability: true}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	// More groups than there is room for are cut, and a zombie is one.
	p, err = ParseProc(rawProc().u16(188, 65535).bytes(388, 5))
	if err != nil || len(p.Groups) != 16 || !p.Zombie {
		t.Errorf("%+v, %v", p, err)
	}
	for _, bad := range [][]byte{nil, rawProc()[:1087], rawProc().u32(0, 1080)} {
		if _, err := ParseProc(bad); err == nil {
			t.Errorf("%d bytes are taken", len(bad))
		}
	}
	if all, err := ParseProcs(append(rawProc(), rawProc()...)); err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestParseFiles(t *testing.T) {
	device := newRaw(368+16).u32(4, 1).u32(8, 5).u32(16, 3).u32(32, 4).u64(280, 1).u64(288, 11).u64(296, 12).u64(304, 13).
		u64(344, 1<<57|0x3d).u64(352, 1<<58|0x80).text(368, "/dev/vmm/web")
	socket := newRaw(368+8).u32(4, 2).u32(8, 6).u32(36, 2).u32(40, 1).bytes(48, 16, 2, 0x17, 0x0c, 127, 0, 0, 1).bytes(176, 106, 1).text(178, "/run/x.sock")
	root := newRaw(368+8).u32(4, 1).u32(8, ^uint32(1)).u32(32, 2).text(368, "/jail")
	six := newRaw(368+8).u32(4, 2).u32(8, 7).bytes(48, 28, 28, 0, 80, 0, 0, 0, 0, 0x20, 0x01)
	var b []byte
	for _, r := range []raw{root, device, socket, six} {
		b = append(b, r...)
	}
	all, err := ParseFiles(append(b, make([]byte, 64)...))
	if err != nil {
		t.Fatal(err)
	}
	want := []File{
		{FD: Root, Type: TypeVnode, Vnode: Directory, Path: "/jail"},
		{FD: 5, Type: TypeVnode, Flags: 3, Vnode: Character, Path: "/dev/vmm/web", Links: 1, Fsid: 11, Rdev: 12, ID: 13, Rights: Rights{1<<57 | 0x3d, 1<<58 | 0x80}},
		{FD: 6, Type: TypeSocket, Domain: 2, SockType: 1, Local: "127.0.0.1:5900", Peer: "/run/x.sock"},
		{FD: 7, Type: TypeSocket, Local: "[2001::]:80"},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
	for name, bad := range map[string][]byte{"cut": device[:len(device)-1], "too small": newRaw(368).u32(0, 360), "larger than it is": newRaw(368).u32(0, 1<<30)} {
		if _, err := ParseFiles(bad); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

func TestParseAreas(t *testing.T) {
	guest := newRaw(136+8).u32(4, 3).u64(8, 0x1000).u64(16, 0x3000).u64(24, 5).u64(32, 6).u64(88, 7).u32(44, 4|64).u32(56, 0x30003).text(136, "")
	guard := newRaw(136+8).u32(4, 9).u64(8, 0x3000).u64(16, 0x4000)
	all, err := ParseAreas(append(guest, guard...))
	want := []Area{{From: 0x1000, To: 0x3000, Type: AreaSwap, Mode: 0x30003, NoDump: true, Wired: true, Offset: 5, ID: 6, Fsid: 7}, {From: 0x3000, To: 0x4000, Type: AreaGuard}}
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if !all[0].Writable() || all[0].Executable() || all[1].Writable() {
		t.Errorf("%+v", all)
	}
}

func TestRights(t *testing.T) {
	vm, err := NamedRights("ioctl mmap seek seek_tell read write")
	if err != nil || vm != (Rights{0x1f, 0x80}) {
		t.Errorf("%x, %v", vm, err)
	}
	marked := Rights{vm[0] | 1<<57, vm[1] | 1<<58}
	if s := marked.String(); s != "read write seek_tell seek mmap ioctl" {
		t.Errorf("%q", s)
	}
	if more := (Rights{1<<57 | 0x5f, 1<<58 | 0x80}).Without(vm); more != (Rights{0x40, 0}) || more.String() != "create" {
		t.Errorf("%x %s", more, more)
	}
	if !(Rights{1 << 57, 1 << 58}).None() || marked.None() || !AllRights.All() || marked.All() {
		t.Error("none and all are not told apart")
	}
	if _, err := NamedRights("read fly"); err == nil {
		t.Error("a right that is none is taken")
	}
	if s := (Rights{0, 1 << 40}).String(); s != "1.40" {
		t.Errorf("an unknown bit is %q", s)
	}
	for word, names := range rightNames {
		for bit := range 57 {
			if _, named := names[bit]; named != (AllRights[word]>>bit&1 == 1) {
				t.Errorf("bit %d of word %d: named %v", bit, word, named)
			}
		}
	}
}

func TestControls(t *testing.T) {
	v := func(n int32) *int32 { return &n }
	on := Controls{ASLR: v(-0x7fffffff), WXMap: v(-0x7ffffffe), NoNewPrivs: v(1), Trace: v(-1)}
	if !on.ASLRActive() || !on.ASLRForced() || !on.WXEnforced() || !on.PrivsFixed() || !on.Untraceable() || on.ASLRText() != "force enabled, active" {
		t.Errorf("%+v: %s", on, on.ASLRText())
	}
	for _, off := range []Controls{{}, {ASLR: v(3), WXMap: v(2), NoNewPrivs: v(2), Trace: v(0)}} {
		if off.ASLRActive() || off.ASLRForced() || off.WXEnforced() || off.PrivsFixed() || off.Untraceable() {
			t.Errorf("%+v", off)
		}
	}
	if stock := (Controls{ASLR: v(-0x7ffffffd)}); stock.ASLRForced() || stock.ASLRText() != "not forced, active" {
		t.Errorf("%s", stock.ASLRText())
	}
}

func TestAux(t *testing.T) {
	b := make(raw, 40).u64(0, 6).u64(8, 4096).u64(16, AuxEnvCount).u64(24, 0)
	if n, ok := Aux(b, AuxEnvCount); !ok || n != 0 {
		t.Errorf("%d, %v", n, ok)
	}
	if n, ok := Aux(b, 6); !ok || n != 4096 {
		t.Errorf("%d, %v", n, ok)
	}
	for _, short := range []raw{nil, b[:16], b[:31]} {
		if _, ok := Aux(short, AuxEnvCount); ok {
			t.Errorf("found in %d bytes", len(short))
		}
	}
}

// The bytes come from the kernel; a parser that can be made to read past them
// would still be a defect.
func FuzzParse(f *testing.F) {
	f.Add([]byte(rawProc()))
	f.Add([]byte(newRaw(368).u32(4, 2).bytes(48, 255, 1)))
	f.Add([]byte(newRaw(136)))
	f.Add([]byte(strings.Repeat("\x00", 8)))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = ParseProc(b)
		_, _ = ParseProcs(b)
		files, _ := ParseFiles(b)
		for _, file := range files {
			_ = file.Rights.String() + file.Type.String()
		}
		_, _ = ParseAreas(b)
		_, _ = Aux(b, AuxEnvCount)
	})
}
