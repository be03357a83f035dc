package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"skep/internal/elf"
	"skep/internal/fault"
	"skep/internal/host"
)

// qemuPaths are where distributions put the hypervisor. $PATH is not asked:
// what root runs should not hang on what a shell put there.
var qemuPaths = []string{
	"/usr/bin/qemu-system-x86_64",
	"/usr/local/bin/qemu-system-x86_64",
	"/usr/libexec/qemu-kvm", // RHEL
}

// dataDir is where the rootfs has the ROM images, whatever the host calls the
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
	Asked string     `json:"asked"`
	Stubs bool       `json:"stubs"` // were to be made
	Build string     `json:"build"` // of skep: another one may look for other files
	QEMU  *host.QEMU `json:"qemu"`
	OVMF  *host.OVMF `json:"ovmf"`
	// Secure is the pair for Secure Boot.
	Secure *host.OVMF `json:"secure"`
	Seal   seal       `json:"seal"`
}

const qemuMemory = "qemu.json"

// findQEMU fills in the hypervisor and its firmware.
func findQEMU(ctx context.Context, o Options, c cache, l *host.Linux) error {
	asked := o.env(host.EnvQEMU)
	candidates := qemuPaths
	if asked != "" {
		if !filepath.IsAbs(asked) {
			return fault.Fail(fault.Input, "", "%s must be a path that begins with /, got %q", host.EnvQEMU, asked)
		}
		candidates = []string{asked}
	}
	stubs, into := o.env(host.EnvStubs) != "no", cache{}
	if stubs {
		into = c
	}
	var r remembered
	l.SWTPM = findSWTPM()
	l.QEMUAsked = asked != ""
	if c.load(qemuMemory, &r) == nil && r.Asked == asked && r.Stubs == stubs && r.Build == build() && r.QEMU != nil && r.Seal.holds() {
		l.QEMU, l.OVMF, l.OVMFSecure = r.QEMU, r.OVMF, r.Secure
		return nil
	}
	var watch []string
	ovmf, paths := findOVMF(os.DirFS("/"), false)
	secure, more := findOVMF(os.DirFS("/"), true)
	l.OVMF, l.OVMFSecure = ovmf, secure
	watch = append(append(watch, paths...), more...)
	within := o.AskFor
	if within == 0 {
		within = askFor
	}
	for _, p := range candidates {
		watch = append(watch, p)
		q, paths, tried := examine(ctx, within, into, p)
		if tried != nil {
			tried.Package = packageOf(tried.Library)
			l.QEMUTried = append(l.QEMUTried, *tried)
			continue
		}
		l.QEMU = q
		// Only a find is remembered: what is missing may be installed in any
		// place at any time, and then must be seen at once.
		_ = c.save(qemuMemory, remembered{asked, stubs, build(), q, ovmf, secure, sealOf(append(watch, paths...))})
		return nil
	}
	l.QEMUWhy = l.QEMUReason()
	return nil
}

// examine finds everything that one QEMU opens, or says why it cannot be used.
func examine(ctx context.Context, within time.Duration, c cache, path string) (*host.QEMU, []string, *host.QEMUTried) {
	st, err := os.Stat(path)
	switch {
	case err != nil && os.IsNotExist(err):
		return nil, nil, &host.QEMUTried{Path: path, Fault: host.QEMUAbsent, Why: "there is no " + path}
	case err != nil:
		return nil, nil, &host.QEMUTried{Path: path, Fault: host.QEMUNoExec, Why: err.Error()}
	case !st.Mode().IsRegular() || st.Mode()&0o111 == 0:
		return nil, nil, &host.QEMUTried{Path: path, Fault: host.QEMUNoExec, Why: path + " is not a program"}
	}
	q, watch, err := walkQEMU(ctx, within, c, path)
	var tried *host.QEMUTried
	var lack *elf.LibraryError
	switch {
	case errors.As(err, &tried):
		return nil, nil, tried
	case errors.As(err, &lack):
		return nil, nil, &host.QEMUTried{Path: path, Fault: host.QEMUBroken, Why: lack.Error(), Library: cmp.Or(lack.At, lack.Library)}
	case err != nil:
		return nil, nil, &host.QEMUTried{Path: path, Fault: host.QEMUBroken, Why: err.Error()}
	case host.TooOld(q.Version):
		return nil, nil, &host.QEMUTried{Path: path, Fault: host.QEMUOld,
			Why: fmt.Sprintf("%s is QEMU %s, and %s is the least that can be used", path, q.Version, host.LeastQEMU)}
	}
	return q, watch, nil
}

// walkQEMU reads a QEMU's files and asks it about itself.
func walkQEMU(ctx context.Context, within time.Duration, c cache, path string) (*host.QEMU, []string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, nil, err
	}
	version := make(chan answer, 1)
	go func() { version <- ask(ctx, within, real, "--version") }()
	dirs := make(chan answer, 1)
	go func() { dirs <- ask(ctx, within, real, "-L", "help") }()

	search, watch := ldSearch()
	q := &host.QEMU{Path: real, Data: dataDir, Modules: map[string][]host.File{}}
	binary, err := os.ReadFile(real)
	if err != nil {
		return nil, nil, err
	}
	module := moduleFinder(real, binary)
	files, err := elf.Closure(search, real)
	if err != nil {
		return nil, nil, err
	}
	linked := map[string]elf.File{}
	for _, f := range files {
		q.Files = append(q.Files, host.File{Host: f.Host, Inside: f.Inside})
		watch = append(watch, f.Seen)
		linked[f.Inside] = f
	}
	// more is what modules add to Files.
	more := func(names ...string) []host.File {
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
		var out []host.File
		for _, f := range files {
			watch = append(watch, f.Seen)
			linked[f.Inside] = f
			if file := (host.File{Host: f.Host, Inside: f.Inside}); !slices.Contains(q.Files, file) {
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
	said := <-version
	if q.Version = parseVersion(said.out); q.Version == "" {
		tried := said.why(real, "--version")
		return nil, nil, &tried
	}
	if said = <-dirs; said.err != nil {
		tried := said.why(real, "-L", "help")
		return nil, nil, &tried
	}
	data := append(parseDataDirs(said.out), dataDirs...)
	for _, name := range romNames {
		for _, d := range data {
			p := filepath.Join(d, name)
			if real, err := filepath.EvalSymlinks(p); err == nil {
				q.ROMs = append(q.ROMs, host.File{Host: real, Inside: filepath.Join(dataDir, name)})
				watch = append(watch, p)
				break
			}
		}
	}
	watch = append(watch, makeStubs(ctx, within, c, q, binary, linked)...)
	return q, append(watch, data...), nil
}

// dataDirs are searched besides what QEMU says of itself.
var dataDirs = []string{"/usr/share/qemu", "/usr/share/seabios", "/usr/share/seavgabios",
	"/usr/share/qemu-kvm", "/usr/share/ipxe/qemu", "/usr/lib/ipxe/qemu"}

// findSWTPM is the program that TPMs are made of.
func findSWTPM() string {
	for _, path := range []string{"/usr/bin/swtpm", "/usr/local/bin/swtpm"} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
