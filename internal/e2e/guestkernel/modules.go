package guestkernel

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// modules are a kernel's, by name, each visited once.
type modules struct {
	paths   map[string]string
	visited map[string]bool
}

// unpackers are the programs for modules that are compressed, as Debian's are from 13 on.
var unpackers = map[string][]string{".ko": nil, ".ko.xz": {"xz", "-dc"}, ".ko.zst": {"zstd", "-dcq"}, ".ko.gz": {"gzip", "-dc"}}

// findModules finds the modules of an unpacked kernel package, which are below /lib or below /usr/lib.
func findModules(root string) modules {
	m := modules{map[string]string{}, map[string]bool{}}
	for _, dir := range []string{"lib/modules", "usr/lib/modules"} {
		_ = filepath.WalkDir(filepath.Join(root, dir), func(p string, d os.DirEntry, err error) error {
			for suffix := range unpackers {
				if err == nil && strings.HasSuffix(p, suffix) {
					m.paths[plain(strings.TrimSuffix(filepath.Base(p), suffix))] = p
				}
			}
			return nil
		})
	}
	return m
}

// plain: a module is called with hyphens by its file and with underscores by those that need it.
func plain(name string) string { return strings.ReplaceAll(name, "-", "_") }

// visit calls do for a module and for all that it needs, those first. One that is not there is taken
// for one that is built in.
func (m modules) visit(name string, do func(name string, data []byte)) error {
	path := m.paths[plain(name)]
	if path == "" || m.visited[plain(name)] {
		return nil
	}
	m.visited[plain(name)] = true
	b, err := read(path)
	if err != nil {
		return err
	}
	needs, err := needsOf(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, n := range needs {
		if err := m.visit(n, do); err != nil {
			return err
		}
	}
	do(name, b)
	return nil
}

// read returns a module as the kernel wants it.
func read(path string) ([]byte, error) {
	for suffix, unpacker := range unpackers {
		if strings.HasSuffix(path, suffix) && unpacker != nil {
			out, err := exec.Command(unpacker[0], append(unpacker[1:], path)...).Output()
			if err != nil {
				return nil, fmt.Errorf("unpack %s: %w", path, err)
			}
			return out, nil
		}
	}
	return os.ReadFile(path)
}

// needsOf reads depends= of a module's .modinfo.
func needsOf(module []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, nil
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(info), "\x00") {
		if list, ok := strings.CutPrefix(line, "depends="); ok && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
