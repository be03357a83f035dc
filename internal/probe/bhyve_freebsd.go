package probe

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"skep/internal/elf"
	"skep/internal/host"
)

const (
	bhyvePath     = "/usr/sbin/bhyve"
	bhyvectlPath  = "/usr/sbin/bhyvectl"
	bhyveloadPath = "/usr/sbin/bhyveload"
	shellPath     = "/bin/sh"
	hintsPath     = "/var/run/ld-elf.so.hints"
)

// userboots are what bhyveload(8) opens late: the first unless told otherwise,
// and one of the others when the guest's boot loader wants another
// interpreter.
var userboots = []string{"/boot/userboot.so", "/boot/userboot_lua.so", "/boot/userboot_4th.so"}

type rememberedBhyve struct {
	Build string      `json:"build"` // of skep: another one may look for more
	Bhyve *host.Bhyve `json:"bhyve"`
	Can   can         `json:"can"`
	Seal  seal        `json:"seal"`
}

// bhyveMemory is named anew when what is remembered changes.
const bhyveMemory = "bhyve-2.json"

// findBhyve fills in the hypervisor and what its binary can do.
func findBhyve(c cache, f *host.FreeBSD) {
	var r rememberedBhyve
	if c.load(bhyveMemory, &r) != nil || r.Build != build() || r.Bhyve == nil || !r.Seal.holds() {
		b, watch, err := examineBhyve()
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				f.BhyveWhy = err.Error()
			}
			return
		}
		binary, err := os.ReadFile(bhyvePath)
		if err != nil {
			f.BhyveWhy = err.Error()
			return
		}
		r = rememberedBhyve{build(), b, whatCan(binary), seal{}}
		if r.Can.NeedsIASL {
			more, paths := acpiFiles(b.Files, r.Can.IASL)
			b.ACPIFiles = more
			watch = append(watch, paths...)
		}
		r.Seal = sealOf(watch)
		_ = c.save(bhyveMemory, r)
	}
	f.Bhyve = r.Bhyve
	f.MonitorMode, f.VNCUnix, f.TablesOption, f.BasicACPI = r.Can.Monitor, r.Can.VNCUnix, r.Can.Tables, !r.Can.NeedsIASL
}

// rtldSearch is how rtld(1) searches on this host.
func rtldSearch() elf.Search {
	s := elf.Search{Default: []string{"/lib", "/usr/lib"}}
	if dirs, err := elf.Hints([]byte(text(hintsPath))); err == nil {
		s.Configured = dirs
	}
	return s
}

func examineBhyve() (*host.Bhyve, []string, error) {
	s := rtldSearch()
	watch := append([]string{hintsPath}, s.Default...)
	watch = append(watch, s.Configured...)
	list := func(paths ...string) ([]host.File, error) {
		files, err := elf.Closure(s, paths...)
		watch = append(watch, paths...)
		return seen(files, &watch), err
	}
	b := &host.Bhyve{Path: bhyvePath}
	var err error
	if b.Files, err = list(bhyvePath); err != nil {
		return nil, nil, err
	}
	// The other two are conveniences of a host; a cell that needs one which is
	// not there says so when it is planned.
	b.Ctl, _ = list(bhyvectlPath)
	if loader, err := list(bhyveloadPath); err == nil {
		b.Loader = loader
		for _, u := range userboots {
			watch = append(watch, u)
			real, err := filepath.EvalSymlinks(u)
			if err != nil {
				continue
			}
			// bhyveload opens it by this very name, link or not.
			b.Loader = append(b.Loader, host.File{Host: real, Inside: u})
			needs, _ := list(real)
			for _, n := range needs {
				if n.Host != real && !slices.Contains(b.Loader, n) {
					b.Loader = append(b.Loader, n)
				}
			}
		}
	}
	return b, watch, nil
}

// acpiFiles are what a bhyve that compiles its tables needs besides have: the
// shell that system(3) runs, the compiler, and the libraries of both.
func acpiFiles(have []host.File, iasl string) (more []host.File, watch []string) {
	files, err := elf.Closure(rtldSearch(), shellPath, iasl)
	watch = append(watch, shellPath, iasl)
	if err != nil {
		return nil, watch
	}
	for _, f := range seen(files, &watch) {
		if !slices.Contains(have, f) {
			more = append(more, f)
		}
	}
	return more, watch
}

func seen(files []elf.File, watch *[]string) []host.File {
	var out []host.File
	for _, f := range files {
		out = append(out, host.File{Host: f.Host, Inside: f.Inside})
		*watch = append(*watch, f.Seen)
	}
	return out
}

// firmwareDirs are where the host.Packages edk2-bhyve and uefi-edk2-bhyve put their
// files, and links to them.
var bhyveFirmwareDirs = []string{"/usr/local/share/uefi-firmware", "/usr/local/share/edk2-bhyve"}

// firmwareFiles lists UEFI firmware, the one to take first.
func firmwareFiles() []string {
	var found []string
	for _, dir := range bhyveFirmwareDirs {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			p := filepath.Join(dir, e.Name())
			if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() && strings.HasSuffix(p, ".fd") {
				found = append(found, p)
			}
		}
	}
	return orderFirmware(found)
}
