package disk

import (
	"encoding/binary"
	"os"

	"skep/internal/cell"
)

// The layout of an image that is written here, docs/interop/qcow2.txt of QEMU:
// clusters of 64 KiB, reference counts of 16 bits, one block of them, and the
// first table. The tables are empty, and so are a hole.
const (
	qcow2ClusterBits = 16
	qcow2Cluster     = 1 << qcow2ClusterBits
	qcow2Covers      = qcow2Cluster / qcow2EntryLength * qcow2Cluster // of the disk, by an entry of the first table
	qcow2HeaderV3Len = 104
)

// writeQcow2 writes an empty image of a size into an empty file. It takes as long
// for a terabyte as for a megabyte, and names no other file: what lies below it
// the hypervisor is told on its command line.
func writeQcow2(f *os.File, size cell.Size) error {
	entries := max((int64(size)+qcow2Covers-1)/qcow2Covers, 1)
	tables := (entries*qcow2EntryLength + qcow2Cluster - 1) / qcow2Cluster
	const refTable, refBlock, first = 1, 2, 3 // clusters
	h := make([]byte, qcow2HeaderV3Len+8)     // and the end of the extensions
	copy(h, qcow2Magic)
	be32 := func(at int, v uint32) { binary.BigEndian.PutUint32(h[at:], v) }
	be64 := func(at int, v uint64) { binary.BigEndian.PutUint64(h[at:], v) }
	be32(4, 3)
	be32(20, qcow2ClusterBits)
	be64(24, uint64(size))
	be32(36, uint32(entries))
	be64(40, first*qcow2Cluster)
	be64(48, refTable*qcow2Cluster)
	be32(56, 1)
	be32(96, 4) // reference counts of 1<<4 bits
	be32(100, qcow2HeaderV3Len)
	table := binary.BigEndian.AppendUint64(nil, refBlock*qcow2Cluster)
	var counts []byte
	for range first + tables {
		counts = binary.BigEndian.AppendUint16(counts, 1)
	}
	if err := f.Truncate((first + tables) * qcow2Cluster); err != nil {
		return err
	}
	for at, b := range map[int64][]byte{0: h, refTable * qcow2Cluster: table, refBlock * qcow2Cluster: counts} {
		if _, err := f.WriteAt(b, at); err != nil {
			return err
		}
	}
	return nil
}
