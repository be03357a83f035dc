package disk

import (
	"encoding/binary"
	"errors"
	"io"
	"os"

	"skep/internal/plan"
)

// The header of a qcow2 image, docs/interop/qcow2.txt of QEMU: big-endian,
// 72 bytes in version 2 and 104 or more in version 3.
const (
	qcow2Magic           = "QFI\xfb"
	qcow2HeaderV2        = 72
	qcow2HeaderV3        = 104
	qcow2Corrupt         = 1 << 1 // incompatible feature: QEMU found its tables damaged
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
	switch crypt := be32(32); crypt {
	case 0:
	case 1, 2:
		return bad(d, "qemu-img convert -O qcow2 makes one of it that is not; a guest can encrypt its disk itself",
			"it is encrypted (%s), and no cell file has a key", map[uint32]string{1: "AES", 2: "LUKS"}[crypt])
	default:
		return bad(d, "qemu-img convert makes a new one", "it is encrypted in a way that is not known (%d)", crypt)
	}
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
		if incompatible&qcow2Corrupt != 0 && !d.ReadOnly {
			return bad(d, "copy it, then qemu-img check -r all "+d.Path+" repairs it; read_only = true takes it as it is",
				"it is marked as corrupt: QEMU found its tables damaged")
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

// The entries of the tables, docs/interop/qcow2.txt.
const (
	qcow2Offset      = 0x00fffffffffffe00 // of a table or of a cluster
	qcow2Compressed  = 1 << 62
	qcow2Zero        = 1 << 0 // version 3: it reads as zeros, whatever lies there
	qcow2ExtendedL2  = 1 << 4 // incompatible feature: two words to an entry
	maxQcow2Tables   = 64 << 20
	qcow2EntryLength = 8
)

// Cut looks for a cluster of a qcow2 image that lies behind the end of the file, as where a download was
// cut off: QEMU would have it read as zeros without a word. The table entry of a cluster is written once its
// data is there, so a whole image has none. Of very large images, from half a terabyte on, not all tables
// are read. It follows what the tables say, so it is for a process that is jailed.
func Cut(f io.ReaderAt, size int64) (at uint64, cut bool, err error) {
	header := make([]byte, qcow2HeaderV3)
	n, err := f.ReadAt(header, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, false, err
	}
	q := &plan.Disk{Label: "image", Path: "image", ReadOnly: true}
	if err := checkQcow2(q, header[:n], size); err != nil {
		return 0, false, err
	}
	return cutOf(f, header, size)
}

func cutOf(f io.ReaderAt, header []byte, size int64) (at uint64, cut bool, err error) {
	be32 := func(at int) uint32 { return binary.BigEndian.Uint32(header[at:]) }
	be64 := func(at int) uint64 { return binary.BigEndian.Uint64(header[at:]) }
	bits := be32(20)
	zero, step := uint64(0), qcow2EntryLength
	if be32(4) == 3 {
		if be64(72)&qcow2ExtendedL2 != 0 {
			step = 2 * qcow2EntryLength
		} else {
			zero = qcow2Zero
		}
	}
	left := int64(maxQcow2Tables)
	l1, err := readTable(f, be64(40), min(int64(be32(36))*qcow2EntryLength, left))
	if err != nil {
		return 0, false, err
	}
	left -= int64(len(l1))
	for ; len(l1) >= qcow2EntryLength && left > 0; l1 = l1[qcow2EntryLength:] {
		at := binary.BigEndian.Uint64(l1) & qcow2Offset
		if at == 0 {
			continue
		}
		if at >= uint64(size) {
			return at, true, nil
		}
		l2, err := readTable(f, at, min(1<<bits, left))
		if err != nil {
			return 0, false, err
		}
		left -= 1 << bits
		if at, cut := cutIn(l2, step, bits, zero, size); cut {
			return at, true, nil
		}
	}
	return 0, false, nil
}

// cutIn looks through one table of clusters.
func cutIn(l2 []byte, step int, bits uint32, zero uint64, size int64) (at uint64, cut bool) {
	for ; len(l2) >= step; l2 = l2[step:] {
		entry := binary.BigEndian.Uint64(l2)
		at := entry & qcow2Offset
		switch {
		case entry&qcow2Compressed != 0:
			at = entry & (1<<(62-(bits-8)) - 1)
		case entry&zero != 0:
			continue
		case step > qcow2EntryLength && uint32(binary.BigEndian.Uint64(l2[qcow2EntryLength:])) == 0:
			continue // no part of it is allocated
		}
		if at >= uint64(size) {
			return at, true
		}
	}
	return 0, false
}

// checkTables has the tables of an image looked at, by whoever has that done.
func checkTables(d *plan.Disk, f *os.File, size int64, tables func(*os.File, int64) (uint64, bool, error)) error {
	if tables == nil {
		return nil
	}
	at, cut, err := tables(f, size)
	switch {
	case err != nil:
		return bad(d, "", "its tables cannot be read: %v", unwrapPath(err))
	case cut:
		return bad(d, "fetch the image again", "it is truncated: it has data at byte %d, the file has %d", at, size)
	}
	return nil
}

// readTable reads a table as far as the file goes.
func readTable(f io.ReaderAt, at uint64, length int64) ([]byte, error) {
	b := make([]byte, length)
	n, err := f.ReadAt(b, int64(at))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}
