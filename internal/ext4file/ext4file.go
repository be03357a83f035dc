// Package ext4file reads plain files of ext4, which package ext4 of go-diskfs finds.
package ext4file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// File reads a plain file. Package ext4 has another's bytes where a file has a hole, or room that was never
// written, and does not come to the end of one that ends with a hole.
type File struct {
	disk  io.ReaderAt
	at    int64
	size  int64
	spans []span // what is written of it, in order; the rest is zeros
	nodes int    // of its tree of extents that were read
}

// span is a part of a file, and where it lies on the disk.
type span struct{ from, end, at int64 }

// Of linux/fs/ext4/ext4.h and ext4_extents.h.
const (
	ext4Magic     = 0xef53
	ext4MetaBG    = 0x10 // incompatible features
	ext4Wide      = 0x80
	ext4Encrypted = 0x800 // flags of an inode
	ext4Extents   = 0x80000
	extentMagic   = 0xf30a
	extentDepth   = 5
	extentNodes   = 1 << 15 // that are read of one file
	maxExtents    = 1 << 20
	extentWritten = 32768 // a longer one has never been written
)

// Open opens the file with that number.
func Open(disk io.ReaderAt, number uint32, size int64) (*File, error) {
	le := binary.LittleEndian
	var super [1024]byte
	if _, err := disk.ReadAt(super[:], 1024); err != nil {
		return nil, err
	}
	features, shift, each := le.Uint32(super[96:]), le.Uint32(super[24:]), le.Uint32(super[40:])
	long := int64(le.Uint16(super[88:]))
	if le.Uint16(super[56:]) != ext4Magic || features&ext4MetaBG != 0 || shift > 6 || each == 0 || number == 0 || long < 128 {
		return nil, errors.New("no ext4 that is read here")
	}
	block, wide := int64(1024)<<shift, int64(32)
	if features&ext4Wide != 0 {
		wide = int64(le.Uint16(super[254:]))
	}
	var group [64]byte
	if _, err := disk.ReadAt(group[:min(max(wide, 32), 64)], (int64(le.Uint32(super[20:]))+1)*block+int64((number-1)/each)*wide); err != nil {
		return nil, err
	}
	table := int64(le.Uint32(group[8:])) | int64(le.Uint32(group[40:])&0xffff)<<32
	var inode [128]byte
	if _, err := disk.ReadAt(inode[:], table*block+int64((number-1)%each)*long); err != nil {
		return nil, err
	}
	if flags := le.Uint32(inode[32:]); flags&ext4Extents == 0 || flags&ext4Encrypted != 0 {
		return nil, errors.New("a file without extents, or an encrypted one")
	}
	f := &File{disk: disk, size: size}
	root := inode[40:100]
	return f, f.extents(root, block, min(int(le.Uint16(root[6:])), extentDepth+1))
}

// extents notes the extents below a node.
func (f *File) extents(node []byte, block int64, depth int) error {
	le := binary.LittleEndian
	n := int(le.Uint16(node[2:]))
	f.nodes++
	if f.nodes > extentNodes || le.Uint16(node) != extentMagic || int(le.Uint16(node[6:])) != depth || depth > extentDepth || n > len(node)/12-1 {
		return errors.New("a tree of extents that cannot be read")
	}
	for i := range n {
		e := node[12*(i+1):][:12]
		if depth > 0 {
			below := make([]byte, block)
			if _, err := f.disk.ReadAt(below, (int64(le.Uint32(e[4:]))|int64(le.Uint16(e[8:]))<<32)*block); err != nil {
				return err
			}
			if err := f.extents(below, block, depth-1); err != nil {
				return err
			}
			continue
		}
		count := int64(le.Uint16(e[4:]))
		if count > extentWritten {
			continue
		}
		s := span{from: int64(le.Uint32(e)) * block, at: (int64(le.Uint32(e[8:])) | int64(le.Uint16(e[6:]))<<32) * block}
		s.end = s.from + count*block
		if last := len(f.spans) - 1; last >= 0 && s.from < f.spans[last].end || last >= maxExtents {
			return fmt.Errorf("extents that are not in order, or more than %d", maxExtents)
		}
		f.spans = append(f.spans, s)
	}
	return nil
}

func (f *File) Read(p []byte) (int, error) {
	if f.at >= f.size {
		return 0, io.EOF
	}
	for len(f.spans) > 0 && f.spans[0].end <= f.at {
		f.spans = f.spans[1:]
	}
	p = p[:min(int64(len(p)), f.size-f.at)]
	if len(f.spans) > 0 && f.spans[0].from <= f.at {
		s := f.spans[0]
		p = p[:min(int64(len(p)), s.end-f.at)]
		n, err := f.disk.ReadAt(p, s.at+f.at-s.from)
		f.at += int64(n)
		if n == len(p) {
			err = nil
		}
		return n, err
	}
	if len(f.spans) > 0 {
		p = p[:min(int64(len(p)), f.spans[0].from-f.at)]
	}
	clear(p)
	f.at += int64(len(p))
	return len(p), nil
}
