package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/jail"
	"skep/internal/jailparam"
	"skep/internal/kinfo"
	"skep/internal/plan"
	"skep/internal/store"
)

// Cell audits the hypervisor of a running cell against the plan in its state.
func Cell(st store.State) (Report, error) {
	seen, err := observe(st.PID, programOf(st.Plan))
	if err != nil {
		return Report{}, err
	}
	if seen.Proc.Start != st.PIDStart {
		return Report{}, fmt.Errorf("process %d is another one by now", st.PID)
	}
	return judgeCell(seen, st, resolved)
}

// Process audits any process as if it were a cell's: a hypervisor that skep
// did not start is judged by the same table.
func Process(pid int) (Report, error) {
	seen, err := observe(pid, "")
	if err != nil {
		return Report{}, err
	}
	return judgeAny(seen), nil
}

// Jail audits every hypervisor that runs in a jail of that name, or number.
func Jail(name string) ([]Report, error) {
	jails, err := jailparam.List()
	if err != nil {
		return nil, err
	}
	jid, names := 0, []string{}
	for _, j := range jails {
		names = append(names, j.Name)
		if j.Name == name || strconv.Itoa(j.JID) == name {
			jid = j.JID
		}
	}
	if jid == 0 {
		return nil, fault.New(fault.Input, "there are: "+orWords(strings.Join(names, ", "), "none"), "find the jail %s", name)
	}
	inside, err := jail.Inside(jid)
	if err != nil {
		return nil, err
	}
	var all []Report
	for _, p := range inside {
		if !runsVM(p) {
			continue
		}
		r, err := Process(p.PID)
		if errors.Is(err, jail.ErrGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Input, "ps -J "+strconv.Itoa(jid)+" lists its processes", "audit the jail %s: no hypervisor runs in it", name)
	}
	return all, nil
}

// runsVM says whether a process is a hypervisor: bhyve by its name, or whatever
// has a virtual machine open.
func runsVM(p jail.Info) bool {
	if p.Comm == "bhyve" {
		return true
	}
	b, err := unix.SysctlRaw("kern.proc.filedesc", p.PID)
	if err != nil {
		return false
	}
	files, _ := kinfo.ParseFiles(b)
	for n, name := range deviceNames(files) {
		if n >= 0 && strings.HasPrefix(name, "vmm/") {
			return true
		}
	}
	return false
}

// programOf is the host's file that a cell's bhyve was copied from.
func programOf(p *plan.Plan) string {
	if p == nil {
		return ""
	}
	for _, h := range plan.Specs[*plan.Bhyve](p) {
		for _, t := range plan.Specs[*plan.Tree](p) {
			for _, f := range t.Files {
				if f.Room == h.Path {
					return f.Host
				}
			}
			return filepath.Join(t.Path, h.Path)
		}
	}
	return ""
}

// resolved is a path without links, as the kernel names files; one that is not
// there stays as it is.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// observe reads everything. program is the file that the process was started
// from, "" for the one that the kernel names.
func observe(pid int, program string) (*bsdSeen, error) {
	p, err := jail.Look(pid)
	if errors.Is(err, jail.ErrGone) {
		return nil, fmt.Errorf("there is no process %d: %w", pid, err)
	}
	if err != nil {
		return nil, err
	}
	s := &bsdSeen{Proc: p, Controls: jail.Controls(pid)}
	s.memoryMap()
	s.descriptorsOf()
	s.others()
	s.environment()
	s.limits()
	s.settings()
	if p.JID != 0 {
		s.prison()
	}
	s.program(program)
	if now, err := jail.Look(pid); err != nil || now.Start != p.Start {
		return nil, fmt.Errorf("process %d ended while it was looked at: %w", pid, jail.ErrGone)
	}
	return s, nil
}

func (s *bsdSeen) memoryMap() {
	if b, err := unix.SysctlRaw("kern.proc.vmmap", s.Proc.PID); err == nil {
		s.Areas, _ = kinfo.ParseAreas(b)
	}
}

func (s *bsdSeen) descriptorsOf() {
	b, err := unix.SysctlRaw("kern.proc.filedesc", s.Proc.PID)
	if err != nil {
		return
	}
	s.Files, err = kinfo.ParseFiles(b)
	s.FilesRead = err == nil
	s.Devices = deviceNames(s.Files)
}

// deviceNames asks for the names of devices by their numbers. The paths that
// the kernel tells would do only as long as the nodes are not hidden.
func deviceNames(files []kinfo.File) map[int]string {
	names := map[int]string{}
	for _, f := range files {
		if f.Type == kinfo.TypeVnode && f.Vnode == kinfo.Character {
			if name, err := kinfo.DeviceName(f.Rdev); err == nil && name != "" {
				names[f.FD] = name
			}
		}
	}
	return names
}

// others looks through all processes for company: in the jail, with the uid.
func (s *bsdSeen) others() {
	all, err := jail.Processes()
	if err != nil {
		return
	}
	for _, p := range all {
		if p.PID == s.Proc.PID {
			continue
		}
		if p.JID == s.Proc.JID && p.JID != 0 {
			s.Inside = append(s.Inside, p)
		}
		if s.Proc.UID != 0 && (p.UID == s.Proc.UID || p.RUID == s.Proc.UID || p.SVUID == s.Proc.UID) {
			s.Company = append(s.Company, p)
		}
	}
}

func (s *bsdSeen) environment() {
	b, err := unix.SysctlRaw("kern.proc.env", s.Proc.PID)
	s.EnvRead = err == nil
	if errors.Is(err, unix.ENOMEM) {
		// So the kernel says of an environment that is empty, and of one that
		// cannot be read (get_proc_vector in sys/kern/kern_proc.c). How many
		// variables exec gave it is told apart from them.
		if aux, err := unix.SysctlRaw("kern.proc.auxv", s.Proc.PID); err == nil {
			n, ok := kinfo.Aux(aux, kinfo.AuxEnvCount)
			s.EnvRead = ok && n == 0
		}
		return
	}
	for _, v := range strings.Split(string(b), "\x00") {
		// Its name is enough: a value may be a secret.
		if name, _, _ := strings.Cut(v, "="); name != "" {
			s.Env = append(s.Env, name)
		}
	}
}

// limitNumbers are the resources of setrlimit(2), sys/sys/resource.h.
var limitNumbers = map[string]int{
	"cpu": 0, "fsize": 1, "data": 2, "stack": 3, "core": 4, "rss": 5, "memlock": 6, "nproc": 7, "nofile": 8, "sbsize": 9, "as": 10,
}

func (s *bsdSeen) limits() {
	s.Limits = map[string][2]uint64{}
	for name, n := range limitNumbers {
		if b, err := unix.SysctlRaw("kern.proc.rlimit", s.Proc.PID, n); err == nil && len(b) >= 16 {
			s.Limits[name] = [2]uint64{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
		}
	}
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
	p.Setuid = told(info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0)
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
