package audit

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"skep/internal/jailparam"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/store"
)

// bsdWant is what a cell's plan promises of its process once the rootfs is
// emptied.
type bsdWant struct {
	plan   *plan.Plan
	prison *plan.Prison
	tree   *plan.JailRootfs
	dev    *plan.DevMount
	set    *plan.Ruleset
	bhyve  *plan.Bhyve
	modem  *plan.Modem
	mounts []*plan.Mount // those that stay
	keeper int
	limits map[string][2]uint64 // recorded when the guest was prepared
	links  map[string]network.Link
	memory uint64 // the guest's, bytes
	shares int
	// debugger is where bhyve's debug stub listens; with a network stack of its
	// own there is a relay for it instead.
	debugger string
	// resolve takes the links out of a path of the host's: the kernel names
	// files without any.
	resolve func(string) string
}

// only is the one spec of its type.
func only[T plan.Spec](p *plan.Plan) (T, error) {
	all := plan.Specs[T](p)
	if len(all) != 1 {
		var none T
		return none, fmt.Errorf("the plan has %d of %T", len(all), none)
	}
	return all[0], nil
}

func wantOf(st store.State, resolve func(string) string) (*bsdWant, error) {
	if st.Plan == nil {
		return nil, errors.New("the cell's state has no plan")
	}
	w := &bsdWant{plan: st.Plan, keeper: st.KeeperPID, resolve: resolve}
	if st.Jail != nil {
		w.limits, w.links = st.Jail.Limits, st.Jail.Links
	}
	var errs [6]error
	w.prison, errs[0] = only[*plan.Prison](st.Plan)
	w.tree, errs[1] = only[*plan.JailRootfs](st.Plan)
	w.dev, errs[2] = only[*plan.DevMount](st.Plan)
	w.set, errs[3] = only[*plan.Ruleset](st.Plan)
	w.bhyve, errs[4] = only[*plan.Bhyve](st.Plan)
	w.modem, errs[5] = only[*plan.Modem](st.Plan)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	for _, m := range plan.Specs[*plan.Mount](st.Plan) {
		if !m.Passing {
			w.mounts = append(w.mounts, m)
		}
	}
	if c := st.Cell; c != nil {
		w.memory, w.shares = uint64(c.Memory), len(c.Shares)
		if c.GDB != nil {
			w.debugger = c.GDB.Listen
		}
	}
	return w, nil
}

// root is the rootfs as the kernel names it.
func (w *bsdWant) root() string { return w.resolve(w.tree.Path) }

// inRootfs is a path of the rootfs, as the kernel names it.
func (w *bsdWant) inRootfs(p string) string { return path.Join(w.root(), p) }

// params are the jail's once the rootfs is emptied: root is root no longer.
func (w *bsdWant) params() []jailparam.Param {
	p := *w.prison
	p.Suser = false
	return p.Params()
}

// files are what is left in the rootfs that is neither a directory nor a device,
// as the rootfs names it: the single files that are mounted there.
func (w *bsdWant) files() []string {
	var all []string
	for _, m := range w.mounts {
		if !m.Dir && m.Size == 0 {
			all = append(all, m.Inside)
		}
	}
	for _, r := range plan.Specs[*plan.Relay](w.plan) {
		if socket, ok := strings.CutPrefix(r.Inside, "unix:"); ok {
			if rel, err := filepath.Rel(w.tree.Path, socket); err == nil {
				all = append(all, "/"+rel)
			}
		}
	}
	return all
}

// shown are directories of the host's that the rootfs shows; what is in them is
// not the rootfs's.
func (w *bsdWant) shown(p string) bool {
	return slices.ContainsFunc(w.mounts, func(m *plan.Mount) bool {
		return m.Dir && (p == m.Inside || strings.HasPrefix(p, m.Inside+"/"))
	})
}

// wantedMount is one mount of the rootfs and the flags that it must have.
type wantedMount struct {
	on, kind string
	flags    uint64
}

// mountTable is every mount of the rootfs. The root cannot be read-only while
// removed files of it are mapped (tmpfs(5)); what is left of it is immutable.
// A devfs tells nobody its flags (devfs_statfs in sys/fs/devfs/devfs_vfsops.c).
func (w *bsdWant) mountTable() []wantedMount {
	var all []wantedMount
	if !w.tree.Existing {
		all = append(all, wantedMount{w.root(), "tmpfs", mntNoSUID})
	}
	all = append(all, wantedMount{w.inRootfs("/dev"), "devfs", 0})
	for _, m := range w.mounts {
		wanted := wantedMount{w.inRootfs(m.Inside), "nullfs", mntNoSUID | mntNoExec}
		if m.Size > 0 {
			wanted.kind = "tmpfs"
		}
		if m.ReadOnly {
			wanted.flags |= mntReadOnly
		}
		all = append(all, wanted)
	}
	return all
}
