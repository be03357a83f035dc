package probe

import (
	"bytes"
	"os"
	"path/filepath"

	"skep/internal/elf"
)

// ldSearch is how this host's dynamic linker searches, and the files that say
// so. ld.so.cache is not read: it holds what ldconfig(8) found in these very
// directories.
func ldSearch() (elf.Search, []string) {
	dirs, files := elf.LdConf(os.DirFS("/"), "/etc/ld.so.conf")
	watch := append([]string{"/etc/ld.so.conf", "/etc/ld.so.conf.d"}, files...)
	return elf.Search{Configured: dirs}, append(watch, dirs...)
}

// moduleFinder finds a module by name, or "". The directory is compiled into
// QEMU, and one that is not may belong to another build, whose modules it
// would refuse.
func moduleFinder(real string, binary []byte) func(string) string {
	var dirs []string
	for _, d := range []string{
		"/usr/lib/x86_64-linux-gnu/qemu", "/usr/lib/aarch64-linux-gnu/qemu", "/usr/lib64/qemu", "/usr/lib/qemu", "/usr/lib64/qemu-kvm",
		"/usr/local/lib/x86_64-linux-gnu/qemu", "/usr/local/lib64/qemu", "/usr/local/lib/qemu",
	} {
		if st, err := os.Stat(d); err != nil || !st.IsDir() {
			continue
		}
		if bytes.Contains(binary, []byte("\x00"+d+"\x00")) {
			dirs = append(dirs, d)
		}
	}
	// A QEMU that was moved as a whole looks next to itself.
	dirs = append(dirs, filepath.Join(filepath.Dir(real), "../lib/qemu"))
	return func(name string) string {
		for _, d := range dirs {
			p := filepath.Join(d, name+".so")
			if _, err := os.Stat(p); err == nil {
				return p
			}
		}
		return ""
	}
}
