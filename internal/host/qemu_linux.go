package host

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"skep/internal/elf"
	"skep/internal/fault"
)

// qemuPaths are where distributions put the hypervisor. $PATH is not asked:
// what root runs should not hang on what a shell put there.
var qemuPaths = []string{
	"/usr/bin/qemu-system-x86_64",
	"/usr/local/bin/qemu-system-x86_64",
	"/usr/libexec/qemu-kvm", // RHEL
}

// dataDir is where the room has the ROM images, whatever the host calls the
// three or four directories that it keeps them in.
const dataDir = "/usr/share/qemu"

// romNames are the images that a PC of ours may ask for. keymaps/en-us is no
// ROM but lies there too: without it QEMU has no VNC display.
var romNames = []string{
	"bios-256k.bin", "kvmvapic.bin",
	"linuxboot.bin", "linuxboot_dma.bin", "multiboot.bin", "multiboot_dma.bin", "pvh.bin",
	"vgabios-stdvga.bin", "vgabios-bochs-display.bin", "vgabios-virtio.bin",
	"efi-virtio.rom", "efi-e1000.rom",
	"keymaps/en-us",
}

// moduleSets are the modules that devices of ours open late, each with those
// that it opens in turn.
var moduleSets = map[string][]string{
	"hw-display-virtio-vga":     {"hw-display-virtio-gpu", "hw-display-virtio-vga"},
	"hw-display-virtio-gpu-pci": {"hw-display-virtio-gpu", "hw-display-virtio-gpu-pci"},
}

// remembered is what is kept of a QEMU, with the UEFI firmware, which is
// looked for in the same directories.
type remembered struct {
	Asked string `json:"asked"`
	QEMU  *QEMU  `json:"qemu"`
	OVMF  *OVMF  `json:"ovmf"`
	Seal  seal   `json:"seal"`
}

const qemuMemory = "qemu.json"

// findQEMU fills in the hypervisor and its firmware.
func findQEMU(ctx context.Context, o Options, c cache, l *Linux) error {
	asked := o.env(EnvQEMU)
	candidates := qemuPaths
	if asked != "" {
		if !filepath.IsAbs(asked) {
			return fault.New(fault.Input, "", "use %s=%q: a path that begins with / is needed", EnvQEMU, asked)
		}
		candidates = []string{asked}
	}
	var r remembered
	if c.load(qemuMemory, &r) == nil && r.Asked == asked && r.QEMU != nil && r.Seal.holds() {
		l.QEMU, l.OVMF = r.QEMU, r.OVMF
		return nil
	}
	var watch []string
	ovmf, paths := findOVMF(os.DirFS("/"))
	l.OVMF = ovmf
	watch = append(watch, paths...)
	for _, p := range candidates {
		watch = append(watch, p)
		st, err := os.Stat(p)
		if err != nil {
			l.QEMUWhy = fmt.Sprintf("%s: %v", p, err.(*os.PathError).Err)
			continue
		}
		if !st.Mode().IsRegular() || st.Mode()&0o111 == 0 {
			l.QEMUWhy = p + " is not a program"
			continue
		}
		q, paths, err := examine(ctx, p)
		if err != nil {
			l.QEMUWhy = err.Error()
			continue
		}
		l.QEMU, l.QEMUWhy = q, ""
		// Only a find is remembered: what is missing may be installed in any
		// place at any time, and then must be seen at once.
		_ = c.save(qemuMemory, remembered{asked, q, ovmf, sealOf(append(watch, paths...))})
		return nil
	}
	if asked == "" {
		l.QEMUWhy = "none of " + strings.Join(qemuPaths, ", ") + " can be used"
	}
	return nil
}

// examine finds everything that one QEMU opens.
func examine(ctx context.Context, path string) (*QEMU, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, nil, err
	}
	version := make(chan string, 1)
	go func() { version <- ask(ctx, real, "--version") }()
	dirs := make(chan string, 1)
	go func() { dirs <- ask(ctx, real, "-L", "help") }()

	search, watch := ldSearch()
	q := &QEMU{Path: real, Data: dataDir, Modules: map[string][]File{}}
	binary, err := os.ReadFile(real)
	if err != nil {
		return nil, nil, err
	}
	module := moduleFinder(real, binary)
	files, err := elf.Closure(search, real)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range files {
		q.Files = append(q.Files, File{f.Host, f.Room})
		watch = append(watch, f.Seen)
	}
	// more is what modules add to Files.
	more := func(names ...string) []File {
		roots := []string{real}
		for _, n := range names {
			p := module(n)
			if p == "" {
				return nil
			}
			roots = append(roots, p)
		}
		files, err := elf.Closure(search, roots...)
		if err != nil {
			return nil
		}
		var out []File
		for _, f := range files {
			watch = append(watch, f.Seen)
			if file := (File{f.Host, f.Room}); !slices.Contains(q.Files, file) {
				out = append(out, file)
			}
		}
		return out
	}
	q.TCG = more("accel-tcg-x86_64")
	for name, set := range moduleSets {
		if files := more(set...); files != nil {
			q.Modules[name] = files
		}
	}
	q.Version = parseVersion(<-version)
	if q.Version == "" {
		return nil, nil, fmt.Errorf("%s --version does not answer like QEMU", real)
	}
	data := append(parseDataDirs(<-dirs), dataDirs...)
	for _, name := range romNames {
		for _, d := range data {
			p := filepath.Join(d, name)
			if host, err := filepath.EvalSymlinks(p); err == nil {
				q.ROMs = append(q.ROMs, File{host, filepath.Join(dataDir, name)})
				watch = append(watch, p)
				break
			}
		}
	}
	return q, append(watch, data...), nil
}

// dataDirs are searched besides what QEMU says of itself.
var dataDirs = []string{"/usr/share/qemu", "/usr/share/seabios", "/usr/share/seavgabios",
	"/usr/share/qemu-kvm", "/usr/share/ipxe/qemu", "/usr/lib/ipxe/qemu"}
