package disk

import (
	"encoding/binary"

	"skep/internal/plan"
)

// The header of a qcow2 image, docs/interop/qcow2.txt of QEMU: big-endian,
// 72 bytes in version 2 and 104 or more in version 3.
const (
	qcow2Magic           = "QFI\xfb"
	qcow2HeaderV2        = 72
	qcow2HeaderV3        = 104
	qcow2DataFile        = 1 << 2 // incompatible feature: the data is in another file
	qcow2KnownIncompat   = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<4
	qcow2ExtensionEnd    = 0
	qcow2ExtensionExtern = 0x44415441 // "DATA": name of the external data file
)

func isQcow2(header []byte) bool {
	return len(header) >= 4 && string(header[:4]) == qcow2Magic
}

// checkQcow2 refuses an image that names another file of the host, and one
// that is not whole. A backing or data file would be opened by name with the
// rights of whoever opens the image; the cell file is the only place where a
// file can be named.
func checkQcow2(d *plan.Disk, header []byte, size int64) error {
	if !isQcow2(header) {
		return bad(d, `format = "raw" is the other one`, "it is not a qcow2 image")
	}
	if len(header) < qcow2HeaderV2 {
		return bad(d, "fetch the image again", "it is truncated: its header is not whole")
	}
	be32 := func(at int) uint32 { return binary.BigEndian.Uint32(header[at:]) }
	be64 := func(at int) uint64 { return binary.BigEndian.Uint64(header[at:]) }
	version := be32(4)
	if version != 2 && version != 3 {
		return bad(d, "qemu-img convert makes a new one", "it is a qcow2 image of version %d", version)
	}
	if be64(8) != 0 || be32(16) != 0 {
		return bad(d, "qemu-img convert -O qcow2 makes one image of both", "it has a backing file, which no cell file can declare")
	}
	if version == 3 {
		if len(header) < qcow2HeaderV3 {
			return bad(d, "fetch the image again", "it is truncated: its header is not whole")
		}
		incompatible := be64(72)
		if incompatible&qcow2DataFile != 0 {
			return bad(d, "qemu-img convert -O qcow2 makes one image of both", "it keeps its data in another file, which no cell file can declare")
		}
		if incompatible&^qcow2KnownIncompat != 0 {
			return bad(d, "qemu-img convert makes a new one", "it needs features that are not known (%#x)", incompatible&^qcow2KnownIncompat)
		}
	}
	cluster := be32(20)
	if cluster < 9 || cluster > 21 {
		return bad(d, "fetch the image again", "its header is damaged: clusters of 2^%d bytes", cluster)
	}
	// Both tables that everything else hangs on must lie within the file.
	l1 := be64(40) + uint64(be32(36))*8
	refcounts := be64(48) + uint64(be32(56))<<cluster
	for _, end := range []uint64{l1, refcounts} {
		if end > uint64(size) || end > 1<<62 {
			return bad(d, "fetch the image again", "it is truncated: its tables reach to byte %d, the file has %d", end, size)
		}
	}
	if be64(24) == 0 {
		return bad(d, "fetch the image again", "its header says 0 bytes")
	}
	return nil
}
