package plan

// OwnCgroup is where skep itself goes, with all that is in the same group of the v2 tree: only a group without
// processes of its own hands controllers down to the cell's.
type OwnCgroup struct {
	Path   string `json:"path"`
	Parent string `json:"parent"` // where they were
}

// Kind implements Spec.
func (*OwnCgroup) Kind() Kind { return KindOwnCgroup }

// Take implements Spec.
func (o *OwnCgroup) Take() []string {
	return []string{
		command("mkdir", o.Path),
		"for p in $(cat " + quote(o.Parent+"/cgroup.procs") + "); do echo $p > " + quote(o.Path+"/cgroup.procs") + "; done",
	}
}

// Release implements Spec.
func (o *OwnCgroup) Release() []string {
	control := quote(o.Parent + "/cgroup.subtree_control")
	return []string{
		"for c in $(cat " + control + "); do echo -$c > " + control + "; done",
		"for p in $(cat " + quote(o.Path+"/cgroup.procs") + "); do echo $p > " + quote(o.Parent+"/cgroup.procs") + "; done",
		command("rmdir", o.Path),
	}
}
