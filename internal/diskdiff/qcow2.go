// Package diskdiff says how a disk's layer differs from what it lies on: by extents, and by files where the
// file system can be read. A layer holds what a guest wrote, so this runs in a jail.
package diskdiff

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
)

// Bounds of a layer's tables: 64 MiB of them describe 512 GiB.
const (
	maxL1      = 32 << 20 / 8
	maxTables  = 1 << 16
	maxExtents = 1 << 20
)

// Extent is a part of the disk that was written to. Zero: with zeros, which take no room, and have no sum.
type Extent struct {
	From int64 `json:"from"`
	Size int64 `json:"size"`
	Zero bool  `json:"zero,omitempty"`
	// SHA256 is that of the bytes as the guest has them.
	SHA256 string `json:"sha256,omitempty"`
}

// layer is a qcow2 image as skep makes it and QEMU writes it, over a base.
type layer struct {
	r       io.ReaderAt
	base    io.ReaderAt
	size    int64
	cluster int64
	bits    uint
	l1      []uint64
	tables  map[uint64][]uint64 // L2 tables, by their place
}

// header is the part of a qcow2 header that every version has, and what version 3 adds.
type header struct {
	Magic, Version         uint32
	BackingAt              uint64
	BackingLen, Bits       uint32
	Size                   uint64
	Crypt, L1Size          uint32
	L1At, RefcountAt       uint64
	RefcountLen, Snapshots uint32
	SnapshotsAt            uint64
	Incompatible           uint64
}

const (
	magic       = 0x514649fb
	dirty       = 1 // and corrupt is 2: neither changes what the tables say
	offsetBits  = 0x00fffffffffffe00
	compressed  = 1 << 62
	allZeros    = 1
	zeroCluster = allZeros
)

func openLayer(r, base io.ReaderAt) (*layer, error) {
	var h header
	if err := binary.Read(io.NewSectionReader(r, 0, int64(binary.Size(h))), binary.BigEndian, &h); err != nil {
		return nil, errors.New("the layer has no header")
	}
	if h.Version == 2 {
		h.Incompatible = 0
	}
	switch {
	case h.Magic != magic || h.Version < 2 || h.Version > 3:
		return nil, errors.New("the layer is no qcow2 image")
	case h.Incompatible&^3 != 0 || h.Crypt != 0:
		return nil, errors.New("the layer is a qcow2 image of a kind that is not read")
	case h.Bits < 9 || h.Bits > 21 || h.L1Size > maxL1 || h.Size > 1<<50:
		return nil, errors.New("the layer has sizes that no layer has")
	}
	l := &layer{r: r, base: base, size: int64(h.Size), cluster: 1 << h.Bits, bits: uint(h.Bits), tables: map[uint64][]uint64{}}
	var err error
	l.l1, err = l.table(h.L1At, int(h.L1Size))
	return l, err
}

func (l *layer) table(at uint64, n int) ([]uint64, error) {
	if at > 1<<56 {
		return nil, errors.New("the layer has a table that is nowhere")
	}
	b := make([]byte, 8*n)
	if got, err := l.r.ReadAt(b, int64(at)); err != nil && (!errors.Is(err, io.EOF) || got < len(b)) {
		return nil, fmt.Errorf("the layer ends before its table: %w", err)
	}
	t := make([]uint64, n)
	for i := range t {
		t[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return t, nil
}

// l2 is the table for an address; nil where there is none.
func (l *layer) l2(at int64) ([]uint64, error) {
	i := at / (l.cluster * l.cluster / 8)
	if i >= int64(len(l.l1)) || l.l1[i]&offsetBits == 0 {
		return nil, nil
	}
	place := l.l1[i] & offsetBits
	if t, ok := l.tables[place]; ok {
		return t, nil
	}
	if len(l.tables) >= 64 {
		clear(l.tables) // most reading is in order
	}
	t, err := l.table(place, int(l.cluster/8))
	if err == nil {
		l.tables[place] = t
	}
	return t, err
}

// extents are all that was written to, in order.
func (l *layer) extents() (all []Extent, err error) {
	span := l.cluster * l.cluster / 8
	tables := 0
	for i, e := range l.l1 {
		if e&offsetBits == 0 {
			continue
		}
		if tables++; tables > maxTables {
			return all, errors.New("the layer has more tables than are read")
		}
		t, err := l.l2(int64(i) * span)
		if err != nil {
			return all, err
		}
		for k, c := range t {
			at := int64(i)*span + int64(k)*l.cluster
			if at >= l.size || c&offsetBits == 0 && c&(allZeros|compressed) == 0 {
				continue
			}
			one := Extent{From: at, Size: min(l.cluster, l.size-at), Zero: c&compressed == 0 && c&zeroCluster != 0}
			if n := len(all); n > 0 && all[n-1].Zero == one.Zero && all[n-1].From+all[n-1].Size == at {
				all[n-1].Size += one.Size
				continue
			}
			if len(all) == maxExtents {
				return all, errors.New("the layer has more extents than are told")
			}
			all = append(all, one)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].From < all[j].From })
	return all, nil
}

// ReadAt reads the disk as the guest has it.
func (l *layer) ReadAt(p []byte, at int64) (n int, err error) {
	for len(p) > 0 {
		if at >= l.size {
			return n, io.EOF
		}
		k := min(int64(len(p)), l.cluster-at%l.cluster, l.size-at)
		if err := l.read(p[:k], at); err != nil {
			return n, err
		}
		p, at, n = p[k:], at+k, n+int(k)
	}
	return n, nil
}

func (l *layer) read(p []byte, at int64) error {
	t, err := l.l2(at)
	if err != nil {
		return err
	}
	var c uint64
	if t != nil {
		c = t[at/l.cluster%(l.cluster/8)]
	}
	from, place := l.base, at
	switch {
	case c&compressed != 0:
		return errors.New("the layer is packed, which no layer is")
	case c&zeroCluster != 0:
		clear(p)
		return nil
	case c&offsetBits != 0:
		from, place = l.r, int64(c&offsetBits)+at%l.cluster
	}
	n, err := from.ReadAt(p, place)
	clear(p[n:]) // behind the end of a base are zeros
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}
