// Package guestkernel finds a Linux kernel to boot and packs an initramfs for it, whose /init is
// internal/e2e/guestinit: the guest of the tests and of the benchmarks.
package guestkernel

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// A Guest is a Linux kernel and an initramfs with our /init: files of the host.
type Guest struct{ Image, Initrd string }

// EnvKernel names the root of an unpacked kernel package, with boot and lib/modules in it, for hosts
// that have no apt-get; EnvCache the directory that keeps one.
const (
	EnvKernel = "SKEP_TEST_KERNEL"
	EnvCache  = "SKEP_TEST_CACHE"
)

// Init is the package of /init.
const Init = "skep/internal/e2e/guestinit"

// Prepare finds a kernel, fetching Debian's where there is none, and packs the program init into an
// initramfs in dir.
func Prepare(dir, init string) (Guest, error) {
	root := os.Getenv(EnvKernel)
	if root == "" {
		var err error
		if root, err = fetch(); err != nil {
			return Guest{}, err
		}
	}
	images, _ := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	if len(images) == 0 {
		return Guest{}, fmt.Errorf("there is no boot/vmlinuz-* in %s", root)
	}
	g := Guest{images[0], filepath.Join(dir, "initrd")}
	return g, pack(g.Initrd, init, root, nil)
}

// With is the same kernel with more in its initramfs: files of this host by the path that they have
// there.
func (g Guest) With(initrd, init string, files map[string]string) (Guest, error) {
	root := filepath.Dir(filepath.Dir(g.Image))
	return Guest{g.Image, initrd}, pack(initrd, init, root, files)
}

// drivers are what the guest loads, each behind those that it needs. A kernel may have some of them
// built in.
var drivers = []string{
	"virtio_pci", "virtio_blk", "virtio_net", "evdev", "button", "pvpanic", "pvpanic-mmio",
	"isofs", "vfat", "nls_cp437", "nls_ascii", "nls_iso8859-1",
}

// fetch takes Debian's cloud kernel out of its package, once.
func fetch() (string, error) {
	cache := os.Getenv(EnvCache)
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(dir, "skep-test")
	}
	root := filepath.Join(cache, "kernel")
	if _, err := os.Stat(filepath.Join(root, "boot")); err == nil {
		return root, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "apt-cache", "depends", "linux-image-cloud-amd64").Output()
	m := regexp.MustCompile(`Depends: (linux-image-\S+)`).FindSubmatch(out)
	if err != nil || m == nil {
		return "", fmt.Errorf("apt-cache knows no linux-image-cloud-amd64 (%v); %s=DIR names an unpacked one", err, EnvKernel)
	}
	// Made aside and renamed: another test may be doing the same.
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	get := exec.CommandContext(ctx, "apt-get", "download", "-q", string(m[1]))
	get.Dir = tmp
	if b, err := get.CombinedOutput(); err != nil {
		return "", fmt.Errorf("apt-get download %s: %v: %s", m[1], err, b)
	}
	debs, _ := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if len(debs) != 1 {
		return "", fmt.Errorf("apt-get download left %d packages", len(debs))
	}
	if b, err := exec.CommandContext(ctx, "dpkg", "-x", debs[0], filepath.Join(tmp, "x")).CombinedOutput(); err != nil {
		return "", fmt.Errorf("dpkg -x: %v: %s", err, b)
	}
	if err := os.Rename(filepath.Join(tmp, "x"), root); err != nil && !os.IsExist(err) {
		if _, serr := os.Stat(root); serr != nil {
			return "", err
		}
	}
	return root, nil
}

// pack packs /init, the drivers that the kernel has as modules, and files.
func pack(path, init, root string, files map[string]string) error {
	var a archive
	for _, d := range []string{"dev", "proc", "sys", "modules"} {
		a.dir(d)
	}
	a.node("dev/console", 5, 1)
	program, err := os.ReadFile(init)
	if err != nil {
		return err
	}
	a.file("init", 0o755, program)
	if err := a.add(files); err != nil {
		return err
	}
	modules := findModules(root)
	order := ""
	for _, d := range drivers {
		err := modules.visit(d, func(name string, data []byte) {
			a.file("modules/"+name+".ko", 0o644, data)
			order += name + ".ko\n"
		})
		if err != nil {
			return err
		}
	}
	a.file("modules/order", 0o644, []byte(order))
	return os.WriteFile(path, a.bytes(), 0o644)
}
