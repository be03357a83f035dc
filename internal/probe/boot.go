package probe

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"

	"skep/internal/cell"
	"skep/internal/host"
)

// BootFile is the file whose code the guest runs first, by which a KVM that
// fails on it is remembered. The built-in guest has none: KVM is tried with it.
func BootFile(c *cell.Cell, f host.Facts) string {
	switch {
	case c.Kernel != nil:
		return c.Kernel.Image
	case c.Boot.Kind == cell.BootFirmware:
		return c.Boot.Path
	case c.SecureBoot && f.Linux != nil && f.Linux.OVMFSecure != nil:
		return f.Linux.OVMFSecure.Code
	case c.Boot.Kind == cell.BootUEFI && f.Linux != nil && f.Linux.OVMF != nil:
		return f.Linux.OVMF.Code
	}
	return ""
}

// Sum is the SHA-256 sum of a file in hex, as RememberRefused takes it. Reading
// a firmware takes some milliseconds, so a caller asks for it only once Refused
// has an entry to compare with.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
