package devfsctl

import (
	"encoding/binary"
	"reflect"
	"testing"

	"skep/internal/devfs"
)

// The request numbers as a C compiler on FreeBSD makes them from sys/ioccom.h.
func TestRequests(t *testing.T) {
	for _, tc := range []struct {
		name      string
		got, want uint64
	}{
		{"RADD", reqRuleAdd, 0xc0ec4400},
		{"RDEL", reqRuleDel, 0x80044401},
		{"RAPPLY", reqRuleApply, 0x80ec4402},
		{"RGETNEXT", reqRuleNext, 0xc0ec4404},
		{"SUSE", reqSetUse, 0x8002440a},
		{"SAPPLY", reqSetApply, 0x8002440b},
		{"SGETNEXT", reqSetNext, 0xc002440c},
	} {
		if tc.got != tc.want {
			t.Errorf("%s is %#x, want %#x", tc.name, tc.got, tc.want)
		}
	}
}

func TestEncodeRule(t *testing.T) {
	r := devfs.Rule{Number: 300, Types: devfs.TTY, HasPath: true, Path: "vmm/web", Hide: true, Unhide: true, User: "1001", Group: "5", HasMode: true, Mode: 0o600, Include: 4}
	got, err := encodeRule(25, r)
	if err != nil {
		t.Fatal(err)
	}
	var want [ruleSize]byte
	ne := binary.NativeEndian
	for off, v := range map[int]uint32{0: 0xdb0a087a, 4: 25<<16 | 300, 8: 3, 12: 4, 216: 1 | 2 | 4 | 8 | 16, 220: 3, 224: 1001, 228: 5} {
		ne.PutUint32(want[off:], v)
	}
	copy(want[16:], "vmm/web\x00")
	ne.PutUint16(want[232:], 0o600)
	ne.PutUint16(want[234:], 4)
	if got != want {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	set, back, err := decodeRule(&got)
	if err != nil || set != 25 || !reflect.DeepEqual(back, r) {
		t.Errorf("read back as %d, %+v, %v", set, back, err)
	}
}

func TestEncodeRuleRefuses(t *testing.T) {
	for _, r := range []devfs.Rule{{User: "root"}, {Group: "-1"}, {HasPath: true, Path: "a\x00b"}, {Number: 1 << 16}, {Include: -1}, {HasPath: true, Path: string(make([]byte, 200))}} {
		if _, err := encodeRule(1, r); err == nil {
			t.Errorf("%+v was encoded", r)
		}
	}
	if _, _, err := decodeRule(new([ruleSize]byte)); err == nil {
		t.Error("a rule without its magic was read")
	}
}

func FuzzDecodeRule(f *testing.F) {
	b, _ := encodeRule(1, devfs.Rule{Number: 100, HasPath: true, Path: "tap*", Unhide: true})
	f.Add(b[:])
	f.Fuzz(func(t *testing.T, data []byte) {
		var b [ruleSize]byte
		copy(b[:], data)
		set, r, err := decodeRule(&b)
		if err != nil {
			return
		}
		if len(r.Path) > devfs.MaxPattern {
			return // a pattern without its NUL is none of the kernel's
		}
		again, err := encodeRule(set, r)
		if err != nil {
			t.Fatal(err)
		}
		if _, r2, _ := decodeRule(&again); !reflect.DeepEqual(r, r2) {
			t.Errorf("%+v became %+v", r, r2)
		}
	})
}
