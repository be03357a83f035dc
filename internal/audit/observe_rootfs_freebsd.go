package audit

import (
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"skep/internal/devfs"
	"skep/internal/devfsctl"
	"skep/internal/jail/freebsdjail"
	"skep/internal/layout"
)

// stockRuleset is the set with which jail(8) mounts the /dev of a jail that
// names none (usr.sbin/jail/command.c).
const stockRuleset = 4

// prison reads the jail of the process and what can be reached in it.
func (s *bsdSeen) prison() {
	var err error
	if s.Params, err = freebsdjail.Parameters(s.Proc.JID); err != nil {
		s.Params = nil
		return
	}
	s.Rules, s.Counted, err = freebsdjail.Limits("jail:" + s.Params["name"])
	s.RulesRead = err == nil
	r := &s.Rootfs
	if r.Root = s.Params["path"]; r.Root == "" {
		return
	}
	r.Root = resolved(r.Root)
	r.readMounts()
	r.walk()
	r.readDev()
	if r.Ruleset, _ = strconv.Atoi(s.Params["devfs_ruleset"]); r.Ruleset == 0 {
		r.Ruleset = stockRuleset
	}
	r.readRules(s.own())
}

// own are the nodes that the process holds, as a bsdAudit knows them.
func (s *bsdSeen) own() []string {
	var all []string
	for n := range (&bsdAudit{bsdSeen: s}).own() {
		all = append(all, n)
	}
	return all
}

// readMounts lists what is mounted on the root and below it.
func (r *bsdRootfs) readMounts() {
	n, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return
	}
	all := make([]unix.Statfs_t, n+32) // some may be mounted meanwhile
	if n, err = unix.Getfsstat(all, unix.MNT_NOWAIT); err != nil {
		return
	}
	for _, st := range all[:n] {
		on := unix.ByteSliceToString(st.Mntonname[:])
		if on == r.Root || strings.HasPrefix(on, strings.TrimSuffix(r.Root, "/")+"/") {
			// The list is of what was last remembered; asked itself, a mount says
			// what is so now.
			var now unix.Statfs_t
			if err := unix.Statfs(on, &now); err == nil && now.Fsid == st.Fsid {
				st = now
			}
			r.Mounts = append(r.Mounts, bsdMount{
				On: on, Kind: unix.ByteSliceToString(st.Fstypename[:]), From: unix.ByteSliceToString(st.Mntfromname[:]), Flags: st.Flags,
			})
		}
	}
	var st unix.Stat_t
	if err := unix.Lstat(r.Root, &st); err == nil {
		r.Flags, r.Owner, r.Mode, r.MountRead = st.Flags, st.Uid, st.Mode, true
	}
}

// maxReach bounds the walk: what reaches more than this is in no rootfs of ours.
const maxReach = 2000

// walk lists what is below the root that is no directory, and nothing of /dev:
// to stat(2) the name of a device can make it.
func (r *bsdRootfs) walk() {
	dev := filepath.Join(r.Root, layout.Dev)
	count := 0
	err := filepath.WalkDir(r.Root, func(path string, d fs.DirEntry, err error) error {
		if count++; count > maxReach {
			return fs.SkipAll
		}
		switch {
		case err != nil && path == r.Root:
			return err
		case err != nil:
			return fs.SkipDir
		case path == dev && d.IsDir():
			if kind, err := freebsdjail.MountedOn(dev); err == nil && kind == "devfs" {
				return fs.SkipDir
			}
		case !d.IsDir():
			r.Files = append(r.Files, "/"+strings.TrimPrefix(strings.TrimPrefix(path, r.Root), "/"))
		}
		return nil
	})
	r.FilesRead = err == nil
}

// readDev lists the devfs on /dev, if there is one.
func (r *bsdRootfs) readDev() {
	dev := filepath.Join(r.Root, layout.Dev)
	kind, err := freebsdjail.MountedOn(dev)
	if err != nil {
		return
	}
	if r.Dev = kind == "devfs"; !r.Dev {
		r.NodesRead = true
		return
	}
	if r.Nodes, err = devfs.List(dev); err == nil {
		r.NodesRead = true
	}
}

// readRules reads the rules of its set and what they come to, or notes why not.
func (r *bsdRootfs) readRules(own []string) {
	if err := r.checkRules(own); err != nil {
		r.Unread = err.Error()
	}
}

func (r *bsdRootfs) checkRules(own []string) error {
	m, err := devfsctl.Open("/dev")
	if err != nil {
		return err
	}
	defer m.Close()
	sets, err := m.Rulesets()
	if err != nil {
		return err
	}
	depth, err := devfsctl.Depth()
	if err != nil {
		return err
	}
	nodes, err := devfs.List("/dev")
	if err != nil {
		return err
	}
	report, err := devfs.Check(sets, r.Ruleset, depth, nodes, own...)
	if err != nil {
		return err
	}
	if set := sets[r.Ruleset]; set != nil {
		r.Rules = set.Rules
	}
	r.Report = &report
	return nil
}
