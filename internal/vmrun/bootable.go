package vmrun

import (
	"encoding/binary"
	"io"
	"os"
)

// Bootable is an Options.Bootable that looks at the disk: it has something to
// boot from if file(1) would call it a boot sector or a UFS, which are the two
// that the script looks for.
func Bootable(disk string) (bool, error) {
	f, err := os.Open(disk)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return bootable(f), nil
}

func bootable(disk io.ReaderAt) bool {
	// A master boot record ends in 55 aa; a GPT has a protective one.
	var mark [512]byte
	if _, err := disk.ReadAt(mark[:], 0); err == nil && mark[510] == 0x55 && mark[511] == 0xaa {
		return true
	}
	// fs_magic lies 1372 bytes into the superblock (sys/ufs/ffs/fs.h), of which
	// a UFS has one at one of these places. Whole sectors are read, as a device
	// demands.
	for _, super := range []int64{8 << 10, 64 << 10, 256 << 10} {
		var sector [512]byte
		at := super + 1372
		if _, err := disk.ReadAt(sector[:], at&^511); err != nil {
			continue
		}
		switch binary.LittleEndian.Uint32(sector[at&511:]) {
		case 0x00011954, 0x19540119: // UFS1, UFS2
			return true
		}
	}
	return false
}
