package provision

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"skep/internal/cell"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/plan"
	"skep/internal/store"
)

// writeNew writes a file that must not be there yet.
func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// checkPath is the hint for a file that the cell file names.
const checkPath = "check the path in the cell file"

// pathHint is the hint for one that cannot be opened, and why.
func pathHint(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "ls -l shows who may read it"
	}
	return checkPath
}

// bootable says whether an image begins as the kernels do that QEMU boots: the
// Linux boot protocol, or ELF. What does not would leave the guest's BIOS with
// nothing to boot, for ever and without a word.
func bootable(f io.ReaderAt) bool {
	head := make([]byte, 0x206)
	if n, _ := f.ReadAt(head, 0); n < len(head) {
		return false
	}
	return string(head[0x202:]) == "HdrS" || string(head[:4]) == "\x7fELF"
}

// cause is an error without the path that it begins with.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// openPlain opens a regular file for reading and nothing else: not a FIFO that
// never answers, not a device.
func openPlain(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, cause(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("it is not a regular file (%s)", info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// maxPassword bounds the file that a screen's password is read from. VNC's own
// authentication looks at eight bytes.
const maxPassword = 4096

// readPassword is the first line of a screen's password file; "" where none is
// named.
func readPassword(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	f, err := openPlain(path)
	if err != nil {
		return "", fault.Wrap(fault.Input, err, pathHint(err), "read the screen's password from %s", path)
	}
	defer f.Close()
	b := make([]byte, maxPassword)
	n, _ := f.Read(b)
	line, _, _ := bytes.Cut(b[:n], []byte("\n"))
	password := string(bytes.TrimRight(line, "\r"))
	if password == "" {
		return "", fault.New(fault.Input, "write the password into its first line", "use the screen's password in %s: the file is empty", path)
	}
	return password, nil
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

// openVars copies the firmware's template once, and opens and locks the cell's
// own copy. hint is what brings a template back that is gone.
func openVars(cell string, v *plan.Vars, hint string) (*os.File, error) {
	if _, err := os.Stat(v.Path); errors.Is(err, fs.ErrNotExist) {
		template, err := os.ReadFile(v.From)
		if err != nil {
			return nil, fault.Wrap(fault.Host, err, hint, "read the UEFI variables' template")
		}
		if err := store.WriteDurable(v.Path, template); err != nil {
			return nil, fault.Wrap(fault.Host, cause(err), HintFull, "write the cell's UEFI variables to %s", v.Path)
		}
	}
	f, err := lockVars(v)
	if err != nil {
		return nil, err
	}
	if err := checkVars(cell, v, f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// lockVars opens and locks the cell's own copy.
func lockVars(v *plan.Vars) (*os.File, error) {
	f, err := os.OpenFile(v.Path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := disk.Lock(f, true); err != nil {
		f.Close()
		return nil, fault.Wrap(fault.Host, err, "", "lock the UEFI variables %s", v.Path)
	}
	return f, nil
}
