package hypervisor

import (
	"strings"

	"skep/internal/cell"
)

// A library that QEMU has linked, and what of a cell reaches it. What is in the table has been tried with every
// block of the cell file; what gives randomness or keys (gnutls, nettle, gmp) never is, and neither is what QEMU
// calls whatever it is asked for (glib, pixman, zlib, liburing, libaio, seccomp, fdt).
type library struct {
	name    string // what its name begins with
	does    string
	reached func(*cell.Cell) bool // nil: by nothing that a cell file can say but arguments of its own
}

var libraries = []library{
	{"libcapstone.so.", "disassembles, for the human monitor", nil},
	{"libpng16.so.", "writes pictures of screens", hasScreen},
	{"libjpeg.so.", "packs pictures for viewers", hasScreen},
	{"libturbojpeg.so.", "the same", hasScreen},
	{"libsasl2.so.", "asks viewers who they are", nil},
	{"libudev.so.", "finds the paths of multipath disks", nil},
	{"libpmem.so.", "writes to persistent memory", nil},
	{"libnuma.so.", "binds memory to nodes", nil},
	{"librdmacm.so.", "migrates over InfiniBand", nil},
	{"libibverbs.so.", "the same", nil},
	{"libvdeplug.so.", "plugs cards into a virtual switch of VDE's", nil},
	{"libfuse3.so.", "shows disks as files", nil},
	{"libbpf.so.", "spreads what a card receives by a program in the kernel", nil},
	{"libslirp.so.", "QEMU's own network in user space, which no cell has", nil},
	{"libgio-2.0.so.", "speaks D-Bus, with displays and migrations of that kind", nil},
}

func hasScreen(c *cell.Cell) bool { return c.Screen != nil }

// MayBeUnreached says whether there are cells that do not reach a library, by its name: "libpng16.so.16".
func MayBeUnreached(name string) bool { return libraryOf(name) != nil }

// Unreached says whether a cell does not reach a library. One that gives QEMU arguments of its own may reach any.
func Unreached(c *cell.Cell, name string) bool {
	l := libraryOf(name)
	return l != nil && len(c.Hypervisor.Args) == 0 && (l.reached == nil || !l.reached(c))
}

func libraryOf(name string) *library {
	for i := range libraries {
		if strings.HasPrefix(name, libraries[i].name) {
			return &libraries[i]
		}
	}
	return nil
}
