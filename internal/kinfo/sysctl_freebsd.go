package kinfo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's own node 0 answers questions about nodes: their names, their
// order, their types (CTL_SYSCTL_* in sys/sys/sysctl.h).
const (
	askName   = 1
	askNext   = 2
	askFormat = 4
	maxDepth  = 24 // CTL_MAXNAME
	maxNodes  = 1 << 14
)

// Node is one sysctl(8).
type Node struct {
	Name   string
	Kind   int    // CTLTYPE_*
	Format string // "B" a boolean, "E,jailsys", "S,in_addr,a" an array of addresses
	id     []int32
}

// call is sysctl(3): the answer, up to size bytes of it.
func call(id []int32, size int, in []byte) ([]byte, error) {
	old, n := make([]byte, size), uintptr(size)
	var from unsafe.Pointer
	if len(in) > 0 {
		from = unsafe.Pointer(&in[0])
	}
	_, _, errno := unix.Syscall6(unix.SYS___SYSCTL, uintptr(unsafe.Pointer(&id[0])), uintptr(len(id)),
		uintptr(unsafe.Pointer(&old[0])), uintptr(unsafe.Pointer(&n)), uintptr(from), uintptr(len(in)))
	if errno != 0 {
		return nil, errno
	}
	return old[:n], nil
}

// Walk lists the nodes below a name that have a value. A name that this kernel
// has not got has none below it.
func Walk(name string) ([]Node, error) {
	top, err := find(name)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the sysctl %s: %w", name, err)
	}
	var all []Node
	for at := top; len(all) < maxNodes; {
		b, err := call(append([]int32{0, askNext}, at...), 4*maxDepth, nil)
		if errors.Is(err, unix.ENOENT) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list the sysctls below %s: %w", name, err)
		}
		at = numbers(b)
		if len(at) < len(top) || !equal(at[:len(top)], top) {
			return all, nil
		}
		n, err := describe(at)
		if err != nil {
			return nil, fmt.Errorf("list the sysctls below %s: %w", name, err)
		}
		all = append(all, n)
	}
	return nil, fmt.Errorf("list the sysctls below %s: there are more than %d", name, maxNodes)
}

func equal(a, b []int32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// find is the identity of a name (CTL_SYSCTL_NAME2OID).
func find(name string) ([]int32, error) {
	b, err := call([]int32{0, 3}, 4*maxDepth, []byte(name))
	return numbers(b), err
}

func numbers(b []byte) []int32 {
	var all []int32
	for ; len(b) >= 4; b = b[4:] {
		all = append(all, int32(binary.NativeEndian.Uint32(b)))
	}
	return all
}

func describe(id []int32) (Node, error) {
	name, err := call(append([]int32{0, askName}, id...), 1024, nil)
	if err != nil {
		return Node{}, err
	}
	format, err := call(append([]int32{0, askFormat}, id...), 1024, nil)
	if err != nil {
		return Node{}, err
	}
	if len(format) < 4 {
		return Node{}, fmt.Errorf("%s has no format", unix.ByteSliceToString(name))
	}
	return Node{
		Name: unix.ByteSliceToString(name), id: id,
		Kind: int(binary.NativeEndian.Uint32(format)) & 0xf, Format: unix.ByteSliceToString(format[4:]),
	}, nil
}

// Value reads it, up to size bytes.
func (n Node) Value(size int) ([]byte, error) { return call(n.id, size, nil) }

// DeviceName is the name below /dev of a device by its number, as devname(3)
// has it. Unlike a stat(2) of a name it makes no device; "" is one that is no
// more.
func DeviceName(dev uint64) (string, error) {
	id, err := find("kern.devname")
	if err != nil {
		return "", fmt.Errorf("look for the sysctl kern.devname: %w", err)
	}
	b, err := call(id, 1024, binary.NativeEndian.AppendUint64(nil, dev))
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
		return "", nil
	}
	return strings.TrimPrefix(unix.ByteSliceToString(b), "/dev/"), err
}
