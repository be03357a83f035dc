package audit

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// extattrs lists the names of the system's extended attributes of a file.
func extattrs(path string, b []byte) (int, error) {
	return unix.ExtattrListFile(path, unix.EXTATTR_NAMESPACE_SYSTEM, uintptr(unsafe.Pointer(&b[0])), len(b))
}

// extattr reads one of them.
func extattr(path, name string, b []byte) (int, error) {
	return unix.ExtattrGetFile(path, unix.EXTATTR_NAMESPACE_SYSTEM, name, uintptr(unsafe.Pointer(&b[0])), len(b))
}
