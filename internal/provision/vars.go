package provision

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"

	"skep/internal/fault"
	"skep/internal/plan"
)

// The head of a volume of UEFI variables: the firmware volume's header (PI 1.7,
// volume 3, section 3.2.1) and the variable store's, which follows it.
const (
	volumeType   = 16 // a GUID
	volumeLength = 32 // eight bytes
	volumeMark   = 40 // "_FVH"
	volumeHeader = 48 // its own length, two bytes
	storeHeader  = 20 // a GUID and a length
	varsHead     = 4096
)

// checkVars refuses UEFI variables that the firmware would not keep: QEMU and
// bhyve start with them without a word, and what the guest stores is lost.
func checkVars(cell string, v *plan.Vars, f *os.File) error {
	wrong := func(format string, args ...any) error {
		return fault.New(fault.Input, "skep disk rm "+cell+" uefi-vars removes them; or bring back the firmware that they belong to",
			"use the UEFI variables %s: "+format, append([]any{v.Path}, args...)...)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return wrong("the file is empty")
	}
	template, err := os.Open(v.From)
	if err != nil {
		return nil // a firmware that is gone is told of elsewhere
	}
	defer template.Close()
	want, err := template.Stat()
	if err != nil {
		return err
	}
	if info.Size() != want.Size() {
		return wrong("they have %d bytes, those of this firmware (%s) %d", info.Size(), v.From, want.Size())
	}
	theirs, ours := layoutOf(template), layoutOf(f)
	switch {
	case theirs == nil, bytes.Equal(theirs, ours):
		return nil
	case ours == nil:
		return wrong("they are no UEFI variables")
	}
	return wrong("they are of another firmware than %s", v.From)
}

// lookAtVars is checkVars beforehand, of those that a cell has by now.
func lookAtVars(cell string, v *plan.Vars) []error {
	f, err := os.Open(v.Path)
	if err != nil {
		return nil // made at the start; one that cannot be opened is not the cell file's fault
	}
	defer f.Close()
	return list(checkVars(cell, v, f))
}

// layoutOf is what tells one firmware's variables from another's: kind and
// length of the volume and of the store in it. nil is none.
func layoutOf(f io.ReaderAt) []byte {
	head := make([]byte, varsHead)
	n, _ := f.ReadAt(head, 0)
	head = head[:n]
	if n < volumeHeader+2 || string(head[volumeMark:volumeMark+4]) != "_FVH" {
		return nil
	}
	store := int(binary.LittleEndian.Uint16(head[volumeHeader:]))
	if store+storeHeader > n {
		return nil
	}
	return bytes.Join([][]byte{head[volumeType:volumeMark], head[store : store+storeHeader]}, nil)
}
