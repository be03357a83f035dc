package e2e

import (
	"encoding/binary"
	"strings"
)

// gptOf is a small image whose GUID partition table belongs to a disk of that
// many bytes; UEFI 2.10, section 5.3.2.
func gptOf(size int64) string {
	b := make([]byte, 1<<20)
	copy(b[512:], "EFI PART")
	binary.LittleEndian.PutUint64(b[512+32:], uint64(size/512-1))
	return string(b)
}

// qcow2 is an empty image of version 3; QEMU's docs/interop/qcow2.txt. what
// makes it name another file.
func qcow2(what string) string {
	const cluster = 1 << 16
	b := make([]byte, 4*cluster)
	be32, be64 := binary.BigEndian.PutUint32, binary.BigEndian.PutUint64
	copy(b, "QFI\xfb")
	be32(b[4:], 3)
	be32(b[20:], 16)        // clusters of 64 KiB
	be64(b[24:], 1<<20)     // the disk's size
	be32(b[36:], 1)         // entries in L1
	be64(b[40:], 3*cluster) // L1
	be64(b[48:], cluster)   // reference counts
	be32(b[56:], 1)
	be32(b[96:], 4)
	be32(b[100:], 104)
	switch what {
	case "backing":
		be64(b[8:], 512)
		be32(b[16:], uint32(len("/etc/passwd")))
		copy(b[512:], "/etc/passwd")
	case "data":
		be64(b[72:], 1<<2)
		be32(b[104:], 0x44415441)
		be32(b[108:], uint32(len("/etc/shadow")))
		copy(b[112:], "/etc/shadow")
	}
	return string(b)
}

// bzImage is the beginning of a Linux kernel and no more than that;
// Documentation/arch/x86/boot.rst.
func bzImage() string {
	b := []byte(strings.Repeat("\x00", 64<<10))
	copy(b[0x1fe:], "\x55\xaaxxHdrS")
	return string(b)
}
