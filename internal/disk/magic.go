package disk

import (
	"fmt"
	"io"
	"slices"

	"skep/internal/fault"
	"skep/internal/plan"
)

// A Foreign disk is called raw and begins as an image of another format does, or
// as something packed: its guest would see the bytes of the format, and write over
// them. It is an error, unless the guest has written it itself.
type Foreign struct {
	Label, Path string
	What        string // "a qcow2 image"
	// Guest: what guests put on whole disks of theirs, such as encryption.
	Guest bool
	hint  string
}

func (f *Foreign) Error() string { return "it is " + f.What + ", not a raw image" }

// Warning is what is said of one that a guest is given all the same.
func (f *Foreign) Warning() string {
	return fmt.Sprintf("disk %q (%s) looks like %s; the guest gets its bytes as they are", f.Label, f.Path, f.What)
}

// magic is how a format is known. Where says from where at is counted: from the
// end where it is negative.
type magic struct {
	at    int64
	bytes string
	what  string
	hint  string
	guest bool
}

// Hints by kind. FILE is the path.
const (
	hintConvert = "qemu-img convert -O qcow2 %[1]s NEW.qcow2 makes one that can be used, with format = \"qcow2\"; -O raw one without"
	hintQcow2   = `add format = "qcow2" to the disk, or qemu-img convert -O raw makes a raw one`
	hintLUKS    = `qemu-img convert makes one that is not encrypted of it; if a guest has encrypted the disk itself, say format = "raw"`
)

func unpack(tool string) string {
	return tool + ` unpacks it; if a guest has written it so, say format = "raw"`
}

// magics are the formats that images come in, and what they come packed in.
var magics = []magic{
	{0, qcow2Magic, "a qcow2 image", hintQcow2, false},
	{0, "KDMV", "a VMDK image", hintConvert, false},
	{0, "COWD", "a VMDK image", hintConvert, false},
	{0, "# Disk DescriptorFile", "the description of a VMDK image", hintConvert, false},
	{64, "\x7f\x10\xda\xbe", "a VDI image", hintConvert, false},
	{0, "vhdxfile", "a VHDX image", hintConvert, false},
	{0, "conectix", "a VHD image", hintConvert, false},
	{-512, "conectix", "a VHD image", hintConvert, false},
	{-512, "koly", "a DMG image", hintConvert, false},
	{0, "QED\x00", "a QED image", hintConvert, false},
	{0, "WithoutFreeSpace", "a Parallels image", hintConvert, false},
	{0, "WithouFreSpacExt", "a Parallels image", hintConvert, false},
	{0, "Bochs Virtual HD Image", "a Bochs image", hintConvert, false},
	{0, "LUKS\xba\xbe", "an encrypted image (LUKS)", hintLUKS, true},
	{0, "\xfd7zXZ\x00", "xz-compressed data", unpack("xz -d"), true},
	{0, "\x1f\x8b\x08", "gzip-compressed data", unpack("gzip -d"), true},
	{0, "\x28\xb5\x2f\xfd", "zstd-compressed data", unpack("zstd -d"), true},
	{0, "BZh", "bzip2-compressed data", unpack("bzip2 -d"), true},
	{0, "\x04\x22\x4d\x18", "lz4-compressed data", unpack("lz4 -d"), true},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", unpack("7z x"), true},
	{0, "PK\x03\x04", "a zip archive", unpack("unzip"), true},
	{257, "ustar", "a tar archive", unpack("tar -x") + "; of an OVA, the disk is in it", true},
}

// foreign looks at what a disk begins and ends with, whatever it is called and
// however long it is.
func foreign(d *plan.Disk, f io.ReaderAt, header []byte, size int64) *Foreign {
	var tail []byte
	if size >= 512 {
		tail = make([]byte, 512)
		if n, _ := f.ReadAt(tail, size-512); n < 512 {
			tail = nil
		}
	}
	i := slices.IndexFunc(magics, func(m magic) bool {
		from, at := header, m.at
		if at < 0 {
			from, at = tail, 0
		}
		return int64(len(from)) >= at+int64(len(m.bytes)) && string(from[at:at+int64(len(m.bytes))]) == m.bytes
	})
	if i < 0 {
		return nil
	}
	m := magics[i]
	hint := m.hint
	if m.hint == hintConvert {
		hint = fmt.Sprintf(hintConvert, d.Path)
	}
	if d.Type != plan.DiskFile && m.bytes == qcow2Magic {
		hint = "qemu-img convert -O raw makes what can be read so, or give it as file = … with format = \"qcow2\""
	}
	return &Foreign{Label: d.Label, Path: d.Path, What: m.what, Guest: m.guest, hint: hint}
}

// fault is the error for people.
func (f *Foreign) fault() error {
	return &fault.Error{Code: fault.Input, Hint: f.hint, Op: "use disk", Subject: fmt.Sprintf("%q (%s)", f.Label, f.Path), Err: f}
}
