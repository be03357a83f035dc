package keeper

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strings"

	"skep/internal/cell"
	"skep/internal/host"
)

// bootID identifies this boot of the kernel: random(4).
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

// BootSum is the SHA-256 of what a cell boots, in hex, by which a host
// remembers that its KVM fails on it; "" where it cannot be read.
func BootSum(c *cell.Cell, f host.Facts) string {
	path := ""
	switch {
	case c.Kernel != nil:
		path = c.Kernel.Image
	case c.Boot.Kind == cell.BootFirmware:
		path = c.Boot.Path
	case c.Boot.Kind == cell.BootUEFI && f.Linux != nil && f.Linux.OVMF != nil:
		path = f.Linux.OVMF.Code
	}
	if path == "" {
		return ""
	}
	in, err := openPlain(path)
	if err != nil {
		return ""
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// rememberRefused notes that KVM fails on what this cell boots.
func rememberRefused(k *Keeper) {
	if sum := BootSum(k.Cell, k.Facts); sum != "" {
		if err := host.RememberRefused(k.Facts.Dirs.State, sum); err != nil {
			k.Notify("cannot remember that: " + err.Error())
		}
	}
}
