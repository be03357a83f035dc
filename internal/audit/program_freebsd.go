package audit

import (
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/kinfo"
	"skep/internal/plan"
)

// programOf is the host's file that a cell's bhyve was copied from.
func programOf(p *plan.Plan) string {
	if p == nil {
		return ""
	}
	for _, h := range plan.Specs[*plan.Bhyve](p) {
		if roots := plan.Specs[*plan.JailRootfs](p); len(roots) > 0 {
			t := roots[0]
			for _, f := range t.Files {
				if f.Inside == h.Path {
					return f.Host
				}
			}
			return filepath.Join(t.Path, h.Path)
		}
	}
	return ""
}

// hostSettings are the sysctls of the host that a row tells of.
var hostSettings = []string{"kern.securelevel", "kern.elf64.aslr.enable", "kern.elf64.aslr.pie_enable", "kern.elf64.allow_wx", "kern.coredump"}

// settings reads the host's, and HardenedBSD's where they are.
func (s *bsdSeen) settings() {
	s.Sysctls = map[string]string{}
	for _, name := range hostSettings {
		if n, err := unix.SysctlUint32(name); err == nil {
			s.Sysctls[name] = strconv.Itoa(int(int32(n)))
		}
	}
	s.Pax = map[string]string{}
	nodes, _ := kinfo.Walk("hardening")
	for _, n := range nodes {
		if b, err := n.Value(256); err == nil {
			if strings.HasPrefix(n.Format, "A") {
				s.Pax[n.Name] = unix.ByteSliceToString(b)
			} else if len(b) == 4 {
				s.Pax[n.Name] = strconv.Itoa(int(int32(binary.NativeEndian.Uint32(b))))
			}
		}
	}
	_, err := os.Lstat("/dev/vmmctl")
	s.VmmCtl = err == nil
}

// program reads the file that the process was started from.
func (s *bsdSeen) program(path string) {
	text, ok := s.special(kinfo.Text)
	if path == "" {
		path = text.Path
	}
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	p, err := ReadProgram(f)
	if err != nil {
		return
	}
	p.Setuid = answer(info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0)
	s.Exe = &bsdProgram{Program: p, Path: path, Same: ok && uint64(info.Size()) == text.Size}
	if len(s.Pax) > 0 {
		s.marks(path)
	}
}

// marks are what hbsdcontrol(8) keeps in extended attributes of a program.
func (s *bsdSeen) marks(path string) {
	names := make([]byte, 16<<10)
	n, err := unix.ExtattrListFile(path, unix.EXTATTR_NAMESPACE_SYSTEM, 0, 0)
	if err != nil || n <= 0 || n > len(names) {
		return
	}
	if n, err = extattrs(path, names[:n]); err != nil {
		return
	}
	// Each name stands behind a byte of its length, extattr(2).
	for b := names[:n]; len(b) > 0; {
		size := int(b[0])
		if size+1 > len(b) {
			return
		}
		name := string(b[1 : 1+size])
		b = b[1+size:]
		value := make([]byte, 16)
		if !strings.HasPrefix(name, "hbsd.pax.") {
			continue
		}
		if got, err := extattr(path, name, value); err == nil {
			s.Pax[filepath.Base(path)+" "+name] = unix.ByteSliceToString(value[:min(got, len(value))])
		}
	}
}
