// Package jaillist asks a FreeBSD kernel which jails it has.
package jaillist

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"skep/internal/jailparam"

	"golang.org/x/sys/unix"
)

// sizes of the kernel's buffers: MAXHOSTNAMELEN and MAXPATHLEN.
const (
	maxName = 256
	maxPath = 1024
)

// List asks jail_get(2) for every jail, one after the other: lastjid finds the
// next that is not dying.
func List() ([]jailparam.Running, error) {
	var all []jailparam.Running
	for last := 0; ; {
		r, err := after(last)
		if errors.Is(err, unix.ENOENT) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list jails: %w", err)
		}
		if r.JID <= last {
			return nil, fmt.Errorf("list jails: jail %d after jail %d", r.JID, last)
		}
		all, last = append(all, r), r.JID
	}
}

func after(last int) (jailparam.Running, error) {
	jid := make([]byte, 4)
	rules := make([]byte, 4)
	name, path := make([]byte, maxName), make([]byte, maxPath)
	wanted := []asked{
		{"lastjid", binary.NativeEndian.AppendUint32(nil, uint32(last))},
		{"jid", jid}, {"name", name}, {"path", path}, {"devfs_ruleset", rules},
	}
	if errno := get(wanted); errno != 0 {
		return jailparam.Running{}, errno
	}
	// Asked for by itself: a kernel without vmm(4) does not know the parameter.
	vmm := make([]byte, 4)
	allowed := get([]asked{{"jid", jid}, {"allow.vmm", vmm}}) == 0 && vmm[0] != 0
	return jailparam.Running{
		JID: int(binary.NativeEndian.Uint32(jid)), Name: text(name), Path: text(path),
		Ruleset: int(binary.NativeEndian.Uint32(rules)), VMM: allowed,
	}, nil
}

// asked is one parameter of jail_get(2).
type asked struct {
	name  string
	value []byte
}

// get asks for parameters of one jail.
func get(wanted []asked) unix.Errno {
	var pin runtime.Pinner
	defer pin.Unpin()
	var iov []unix.Iovec
	add := func(b []byte) {
		pin.Pin(&b[0])
		v := unix.Iovec{Base: &b[0]}
		v.SetLen(len(b))
		iov = append(iov, v)
	}
	for _, w := range wanted {
		add(append([]byte(w.name), 0))
		add(w.value)
	}
	_, _, errno := unix.Syscall(unix.SYS_JAIL_GET, uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)), 0)
	return errno
}

func text(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}
