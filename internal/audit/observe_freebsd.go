package audit

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/fault"
	"skep/internal/jail/freebsdjail"
	"skep/internal/jaillist"
	"skep/internal/kinfo"
	"skep/internal/process"
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
	seen.lookUp(st.Plan)
	if w := st.Worker; w != nil {
		seen.Worker = observeWorker(w.PID, w.Start)
	}
	seen.Services, seen.Stack = observeServices(st), observeStack(st)
	return judgeFreeBSD(seen, st, resolved)
}

// Process audits any process as if it were a cell's: a hypervisor that skep
// did not start is judged by the same table.
func Process(pid int) (Report, error) {
	seen, err := observe(pid, "")
	if err != nil {
		return Report{}, err
	}
	return judgeAnyFreeBSD(seen), nil
}

// Jail audits every hypervisor that runs in a jail of that name, or number.
func Jail(name string) ([]Report, error) {
	jails, err := jaillist.List()
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
	inside, err := process.InJail(jid)
	if err != nil {
		return nil, err
	}
	var all []Report
	for _, p := range inside {
		if !runsVM(p) {
			continue
		}
		r, err := Process(p.PID)
		if errors.Is(err, process.ErrGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, fault.Cannot(fault.Input, "ps -J "+strconv.Itoa(jid)+" lists its processes", "audit the jail", name, "no hypervisor runs in it")
	}
	return all, nil
}

// runsVM says whether a process is a hypervisor: bhyve by its name, or whatever
// has a virtual machine open.
func runsVM(p process.Info) bool {
	if p.Comm == "bhyve" {
		return true
	}
	b, err := kinfo.List("kern.proc.filedesc", p.PID)
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
	p, err := process.Look(pid)
	if errors.Is(err, process.ErrGone) {
		return nil, fmt.Errorf("there is no process %d: %w", pid, err)
	}
	if err != nil {
		return nil, err
	}
	s := &bsdSeen{Proc: p, Controls: freebsdjail.Controls(pid)}
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
	if now, err := process.Look(pid); err != nil || now.Start != p.Start {
		return nil, fmt.Errorf("process %d ended while it was looked at: %w", pid, process.ErrGone)
	}
	return s, nil
}

// observeWorker reads what is judged of a worker; nil where there is no such process.
func observeWorker(pid int, start uint64) *bsdSeen {
	p, err := process.Look(pid)
	if err != nil || p.Start != start {
		return nil
	}
	s := &bsdSeen{Proc: p, Controls: freebsdjail.Controls(pid)}
	s.descriptorsOf()
	s.others()
	s.limits()
	if p.JID == 0 {
		return s
	}
	if s.Params, err = freebsdjail.Parameters(p.JID); err != nil {
		s.Params = nil
		return s
	}
	s.Rules, s.Counted, err = freebsdjail.Limits("jail:" + s.Params["name"])
	s.RulesRead = err == nil
	if r := &s.Rootfs; s.Params["path"] != "" {
		r.Root = resolved(s.Params["path"])
		r.readMounts()
		r.walk()
		r.readDev()
	}
	return s
}

func (s *bsdSeen) memoryMap() {
	if b, err := kinfo.List("kern.proc.vmmap", s.Proc.PID); err == nil {
		s.Areas, _ = kinfo.ParseAreas(b)
	}
}

func (s *bsdSeen) descriptorsOf() {
	b, err := kinfo.List("kern.proc.filedesc", s.Proc.PID)
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

// others looks through all processes for others: in the jail, with the uid.
func (s *bsdSeen) others() {
	all, err := process.Processes()
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
			s.Others = append(s.Others, p)
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

func (s *bsdSeen) limits() { s.Limits = freebsdjail.Rlimits(s.Proc.PID) }
