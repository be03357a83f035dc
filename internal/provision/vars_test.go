//go:build linux || freebsd

package provision

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/fault"
	"skep/internal/plan"
)

// volume is a file of UEFI variables as EDK2 lays it out.
func volume(length, store int, mark string) []byte {
	b := bytes.Repeat([]byte{0xff}, length)
	clear(b[:volumeHeader+24])
	copy(b[volumeType:], "\x8d\x2b\xf1\xff\x96\x76\x8b\x4c\xa9\x85\x27\x47\x07\x5b\x4f\x50")
	binary.LittleEndian.PutUint64(b[volumeLength:], uint64(length))
	copy(b[volumeMark:], mark)
	binary.LittleEndian.PutUint16(b[volumeHeader:], 72)
	copy(b[72:], "\x78\x2c\xf3\xaa\x7b\x94\x9a\x43\xa1\x80\x2e\x14\x4e\xc3\x77\x92")
	binary.LittleEndian.PutUint32(b[88:], uint32(store))
	return b
}

// UEFI variables that the firmware would not keep are refused, with what to do;
// what a guest has stored in its own is not looked at.
func TestUEFIVariables(t *testing.T) {
	dir := t.TempDir()
	template := filepath.Join(dir, "VARS.fd")
	whole := volume(8192, 4000, "_FVH")
	if err := os.WriteFile(template, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	stored := bytes.Clone(whole)
	copy(stored[5000:], "BootOrder")
	for _, c := range []struct {
		name string
		vars []byte
		want string // "" is taken
	}{
		{"missing", nil, ""},
		{"with variables", stored, ""},
		{"empty", []byte{}, "the file is empty"},
		{"shorter", whole[:4096], "they have 4096 bytes, those of this firmware"},
		{"longer", volume(16384, 4000, "_FVH"), "they have 16384 bytes"},
		{"of zeros", make([]byte, 8192), "they are no UEFI variables"},
		{"another firmware's", volume(8192, 2000, "_FVH"), "they are of another firmware"},
		{"another mark", volume(8192, 4000, "_FVX"), "they are no UEFI variables"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &plan.Vars{Path: filepath.Join(t.TempDir(), "uefi-vars.fd"), From: template}
			if c.vars != nil {
				if err := os.WriteFile(v.Path, c.vars, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f, err := openVars("web", v, "")
			f.Close()
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.CodeOf(err) != fault.Input || !strings.Contains(fault.HintOf(err), "skep disk rm web uefi-vars") {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
			if after, _ := os.ReadFile(v.Path); !bytes.Equal(after, c.vars) {
				t.Error("they were changed")
			}
		})
	}
}
