package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// guestKernel is a Linux kernel and an initramfs with our /init.
type guestKernel struct{ image, initrd string }

// EnvKernel names the root of an unpacked kernel package, with boot and
// lib/modules in it, for hosts that have no apt-get; EnvCache the directory
// that keeps one.
const (
	envKernel = "SKEP_TEST_KERNEL"
	envCache  = "SKEP_TEST_CACHE"
)

// drivers are what the guest loads, in an order in which each finds what it
// needs. A kernel may have some of them built in.
var drivers = []string{
	"virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
	"virtio_blk", "failover", "net_failover", "virtio_net", "evdev", "button", "pvpanic", "pvpanic-mmio",
}

// needKernel skips where no kernel is to be had.
func needKernel(t testing.TB) guestKernel {
	t.Helper()
	needCells(t)
	k, err := theKernel()
	if err != nil {
		t.Skip("needs a Linux kernel for the guest: " + err.Error())
	}
	return k
}

var theKernel = sync.OnceValues(func() (guestKernel, error) {
	root := os.Getenv(envKernel)
	if root == "" {
		var err error
		if root, err = fetchKernel(); err != nil {
			return guestKernel{}, err
		}
	}
	images, _ := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	if len(images) == 0 {
		return guestKernel{}, fmt.Errorf("there is no boot/vmlinuz-* in %s", root)
	}
	dir := filepath.Dir(skep)
	k := guestKernel{images[0], filepath.Join(dir, "initrd")}
	init, err := build(dir, "init", "skep/internal/e2e/guestinit", "GOOS=linux", "GOARCH=amd64")
	if err != nil {
		return k, err
	}
	return k, writeInitrd(k.initrd, init, root)
})

// fetchKernel takes Debian's cloud kernel out of its package, once.
func fetchKernel() (string, error) {
	cache := os.Getenv(envCache)
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
		return "", fmt.Errorf("apt-cache knows no linux-image-cloud-amd64 (%v); %s=DIR names an unpacked one", err, envKernel)
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

// writeInitrd packs /init and the drivers that the kernel has as modules.
func writeInitrd(path, init, root string) error {
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
	modules := map[string]string{}
	_ = filepath.WalkDir(filepath.Join(root, "lib/modules"), func(p string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".ko") {
			modules[strings.TrimSuffix(filepath.Base(p), ".ko")] = p
		}
		return nil
	})
	order := ""
	for _, d := range drivers {
		if modules[d] == "" {
			continue
		}
		b, err := os.ReadFile(modules[d])
		if err != nil {
			return err
		}
		a.file("modules/"+d+".ko", 0o644, b)
		order += d + ".ko\n"
	}
	a.file("modules/order", 0o644, []byte(order))
	return os.WriteFile(path, a.bytes(), 0o644)
}
