package audit

import (
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"skep/internal/plan"
)

// observeWorker reads what is judged of a worker; nil where there is no such process.
func observeWorker(pid int, p *plan.Plan) *workerSeen {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	before := readSockets(dir)
	b := observeBeside(pid)
	if b == nil {
		return nil
	}
	w := &workerSeen{besideSeen: *b, Sockets: readSockets(dir)}
	maps.Copy(w.Sockets, before) // a viewer may have come or gone meanwhile
	if p != nil {
		for _, l := range plan.Specs[*plan.Log](p) {
			var st syscall.Stat_t
			if l.Name == "hypervisor-log" && syscall.Stat(l.Path, &st) == nil {
				w.Log = fileID{uint64(st.Dev), st.Ino}
			}
		}
	}
	return w
}

// observeBeside reads what is judged of a process beside the hypervisor; nil where there is none.
func observeBeside(pid int) *besideSeen {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	w := &besideSeen{Status: readStatus(dir + "/status"), NS: readNS(dir), Threads: readThreads(dir), Mounts: readMounts(dir + "/mountinfo")}
	if len(w.Status) == 0 || w.Status["Pid"] == "" || ended(w.Status) {
		return nil
	}
	w.Files, w.Nodes, _ = reachable(dir + "/root")
	w.FDs = private(pid).FDs
	entries, _ := os.ReadDir(proc)
	for _, e := range entries {
		if other, err := strconv.Atoi(e.Name()); err == nil && other != pid {
			theirs := readStatus(filepath.Join(proc, e.Name(), "status"))
			if uid := theirs["Uid"]; uid != "" && uid == w.Status["Uid"] && !ended(theirs) {
				w.SameUID = append(w.SameUID, e.Name()+" ("+theirs["Name"]+")")
			}
		}
	}
	return w
}
