package disk

import (
	"encoding/binary"
	"io"
	"os/exec"
	"strconv"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/plan"
)

// SizeIn is what the guest sees of an open image: the length of a raw one, and
// what the header of a qcow2 says; 0 where it cannot be read.
func SizeIn(d *plan.Disk, f io.ReadSeeker) cell.Size {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0
	}
	if d.Format != cell.FormatQcow2 {
		return cell.Size(size)
	}
	header := make([]byte, qcow2HeaderV2)
	if _, err := io.ReadFull(f, header); err != nil {
		return 0
	}
	_, _ = f.Seek(0, io.SeekStart)
	return cell.Size(binary.BigEndian.Uint64(header[24:]))
}

// Grow makes an image or a volume larger, under the lock that a running cell
// holds; never smaller. The guest's partitions stay as they are.
func Grow(d *plan.Disk, size cell.Size) error {
	switch {
	case d.Type == plan.DiskISO, d.Type == plan.DiskDevice, d.ReadOnly:
		return bad(d, "", "it cannot grow: an ISO image, a raw device, or read only")
	case size <= 0 || size%512 != 0:
		return bad(d, "", "it cannot grow to %d bytes: a disk is made of 512-byte sectors", size)
	case d.Type == plan.DiskZvol:
		return growZvol(d, size)
	}
	one := *d
	one.Create = 0
	f, _, err := OpenUnless(&one, func(*Foreign) bool { return true })
	if err != nil {
		return err
	}
	defer f.Close()
	has := SizeIn(&one, f)
	if size < has {
		return bad(d, "a smaller one would lose what the guest has there; make a new one", "it has %s already", has)
	}
	if d.Format == cell.FormatQcow2 {
		err = growQcow2(d, f, size)
	} else {
		err = f.Truncate(int64(size))
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil && fault.CodeOf(err) != fault.Input {
		return bad(d, "", "it cannot grow: %v", unwrapPath(err))
	}
	return err
}

// imageFile is what of an image growQcow2 needs.
type imageFile interface {
	ReadAt([]byte, int64) (int, error)
	WriteAt([]byte, int64) (int, error)
	Sync() error
}

// growQcow2 enlarges the header's size and its first table, as far as that has
// room in the clusters that are its own: with clusters of 64 KiB up to four
// terabytes. qemu-img would do it too, but reads all that a guest may have put
// into the header with the rights of whoever calls it.
func growQcow2(d *plan.Disk, f imageFile, size cell.Size) error {
	h := make([]byte, qcow2HeaderV3)
	if _, err := f.ReadAt(h, 0); err != nil {
		return err
	}
	be32 := func(at int) uint64 { return uint64(binary.BigEndian.Uint32(h[at:])) }
	be64 := func(at int) uint64 { return binary.BigEndian.Uint64(h[at:]) }
	refuse := func(why string) error {
		return bad(d, "qemu-img resize "+d.Path+" does it, on an image that you trust", "skep cannot make it grow: %s", why)
	}
	const dirty, bitmaps = 1 << 0, 1 << 0
	entry := uint64(qcow2EntryLength)
	switch {
	case be32(60) != 0:
		return refuse("it has snapshots")
	case be32(4) == 3 && be64(88)&bitmaps != 0:
		return refuse("it has bitmaps")
	case be32(4) == 3 && be64(72)&dirty != 0:
		return refuse("it was not closed cleanly")
	case be32(4) == 3 && be64(72)&qcow2ExtendedL2 != 0:
		entry *= 2
	}
	cluster := uint64(1) << be32(20)
	covers := cluster / entry * cluster // of the disk, by an entry of the first table
	has, need := be32(36), (uint64(size)+covers-1)/covers
	room := (has*qcow2EntryLength + cluster - 1) / cluster * cluster / qcow2EntryLength
	if need > room {
		return refuse("its first table has no room")
	}
	if need > has {
		if _, err := f.WriteAt(make([]byte, (need-has)*qcow2EntryLength), int64(be64(40)+has*qcow2EntryLength)); err != nil {
			return err
		}
		if err := f.Sync(); err != nil { // before the header says that it is there
			return err
		}
		binary.BigEndian.PutUint32(h[36:], uint32(need))
	}
	binary.BigEndian.PutUint64(h[24:], uint64(size))
	_, err := f.WriteAt(h[24:40], 24)
	return err
}

// growZvol asks zfs(8), which refuses what it cannot do.
func growZvol(d *plan.Disk, size cell.Size) error {
	tool, err := exec.LookPath("zfs")
	if err != nil {
		return fault.New(fault.Host, "", "make the volume %s grow: zfs is not installed", d.Dataset)
	}
	out, err := exec.Command(tool, "get", "-Hpo", "value", "volsize", d.Dataset).Output()
	if err != nil {
		return bad(d, "zfs list -t volume shows what there is", "it does not exist")
	}
	has, err := strconv.ParseInt(string(out[:max(len(out)-1, 0)]), 10, 64)
	if err != nil || int64(size) < has {
		return bad(d, "a smaller one would lose what the guest has there", "it has %s already", cell.Size(has))
	}
	if out, err := exec.Command(tool, "set", "volsize="+strconv.FormatInt(int64(size), 10), d.Dataset).CombinedOutput(); err != nil {
		return bad(d, "", "it cannot grow: %.200s", out)
	}
	return nil
}
