package slim

import (
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Of the auxiliary vector and of program headers: getauxval(3), elf(5).
const (
	atPhdr, atPhnum         = 3, 5
	ptLoad, ptPhdr, pfWrite = 1, 6, 2
)

// header is Elf64_Phdr.
type header struct {
	kind, flags                uint32
	offset, addr, phys         uint64
	inFile, inMemory, boundary uint64
}

// Within is Down for a process that has no /proc to find its program in: it asks the kernel's own note of where
// that was put.
func Within() {
	debug.FreeOSMemory()
	aux, err := unix.Auxv()
	if err != nil {
		return
	}
	var at, n uintptr
	for _, a := range aux {
		switch a[0] {
		case atPhdr:
			at = a[1]
		case atPhnum:
			n = a[1]
		}
	}
	if at == 0 || n == 0 || n > 64 {
		return
	}
	all := unsafe.Slice((*header)(address(at)), n)
	var moved uintptr
	for _, h := range all {
		if h.kind == ptPhdr {
			moved = at - uintptr(h.addr)
		}
	}
	const page = 4096
	for _, h := range all {
		if h.kind != ptLoad || h.flags&pfWrite != 0 {
			continue
		}
		// Never what can be written: that is not as it is in the file.
		from := (moved + uintptr(h.addr)) &^ (page - 1)
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, uintptr(h.inFile)&^(page-1), unix.MADV_DONTNEED)
	}
}

// address is a pointer to what lies outside of Go's memory.
func address(at uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&at)) }
