package kinfo

import (
	"fmt"
	"math/bits"
	"strings"
)

// Rights are what a descriptor is good for in and out of capability mode,
// rights(4): cap_rights_t of version 0. The top bits of each word are not
// rights but the version and the word's number.
type Rights [2]uint64

// rightsMask are the bits that are rights.
const rightsMask = 1<<57 - 1

// AllRights is what a descriptor has that nobody limited, CAP_ALL.
var AllRights = Rights{0x000007ffffffffff, 0x00000000001fffff}

// rightNames are the names of the bits, CAP_* of sys/sys/capsicum.h. What
// stands there as two bits, such as CAP_SEEK, is named by the bit of its own.
var rightNames = [2]map[int]string{
	{
		0: "read", 1: "write", 2: "seek_tell", 3: "seek", 4: "mmap", 5: "mmap_x", 6: "create", 7: "fexecve", 8: "fsync", 9: "ftruncate",
		10: "lookup", 11: "fchdir", 12: "fchflags", 13: "fchmod", 14: "fchown", 15: "fcntl", 16: "flock", 17: "fpathconf", 18: "fsck",
		19: "fstat", 20: "fstatfs", 21: "futimes", 22: "linkat_target", 23: "mkdirat", 24: "mkfifoat", 25: "mknodat", 26: "renameat_source",
		27: "symlinkat", 28: "unlinkat", 29: "accept", 30: "bind", 31: "connect", 32: "getpeername", 33: "getsockname", 34: "getsockopt",
		35: "listen", 36: "peeloff", 37: "setsockopt", 38: "shutdown", 39: "bindat", 40: "connectat", 41: "linkat_source", 42: "renameat_target",
	},
	{
		0: "mac_get", 1: "mac_set", 2: "sem_getvalue", 3: "sem_post", 4: "sem_wait", 5: "event", 6: "kqueue_event", 7: "ioctl", 8: "ttyhook",
		9: "pdgetpid", 10: "pdwait", 11: "pdkill", 12: "extattr_delete", 13: "extattr_get", 14: "extattr_list", 15: "extattr_set",
		16: "acl_check", 17: "acl_delete", 18: "acl_get", 19: "acl_set", 20: "kqueue_change",
	},
}

// NamedRights are the rights of these names. A name that there is not is a
// mistake in our own tables.
func NamedRights(names string) (Rights, error) {
	var r Rights
next:
	for _, n := range strings.Fields(names) {
		for word, table := range rightNames {
			for bit, name := range table {
				if name == n {
					r[word] |= 1 << bit
					continue next
				}
			}
		}
		return r, fmt.Errorf("there is no right %q", n)
	}
	return r, nil
}

// Bits are the rights alone.
func (r Rights) Bits() Rights { return Rights{r[0] & rightsMask, r[1] & rightsMask} }

// Without are the rights that r has and other has not.
func (r Rights) Without(other Rights) Rights {
	a, b := r.Bits(), other.Bits()
	return Rights{a[0] &^ b[0], a[1] &^ b[1]}
}

// None says whether nothing can be done with the descriptor but closing it.
func (r Rights) None() bool { return r.Bits() == Rights{} }

// All says whether nobody limited it.
func (r Rights) All() bool { return AllRights.Without(r).None() }

func (r Rights) String() string {
	switch {
	case r.None():
		return "none"
	case r.All():
		return "all"
	}
	var names []string
	for word, set := range r.Bits() {
		for ; set != 0; set &= set - 1 {
			bit := bits.TrailingZeros64(set)
			name, ok := rightNames[word][bit]
			if !ok {
				name = fmt.Sprintf("%d.%d", word, bit)
			}
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}
