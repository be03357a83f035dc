package hypervisor

import (
	"testing"

	"skep/internal/cell"
)

// What gives randomness or keys, and what QEMU calls in every start, is never missing; nor is anything for a cell that
// gives QEMU arguments of its own.
func TestUnreached(t *testing.T) {
	for _, name := range []string{"libgnutls.so.30", "libnettle.so.8", "libhogweed.so.6", "libgmp.so.10", "libgcrypt.so.20", "libc.so.6", "libm.so.6",
		"libglib-2.0.so.0", "libgobject-2.0.so.0", "libpixman-1.so.0", "libz.so.1", "libzstd.so.1", "liburing.so.2", "libaio.so.1", "libseccomp.so.2", "libfdt.so.1"} {
		if MayBeUnreached(name) {
			t.Errorf("%s may be missing", name)
		}
	}
	plain, screen, own := &cell.Cell{}, &cell.Cell{Screen: &cell.Screen{}}, &cell.Cell{Hypervisor: cell.Hypervisor{Args: []string{"-device", "x"}}}
	for name, want := range map[string][3]bool{"libpng16.so.16": {true, false, false}, "libjpeg.so.62": {true, false, false}, "libslirp.so.0": {true, true, false}, "libpng.so": {}} {
		if got := [3]bool{Unreached(plain, name), Unreached(screen, name), Unreached(own, name)}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
