package plan

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"skep/internal/cell"
	"skep/internal/devfs"
	"skep/internal/hypervisor"
	"skep/internal/jailparam"
)

func ruleset(name string, number int, rules []devfs.Rule) *devfs.Ruleset {
	return &devfs.Ruleset{Number: number, Name: name, Rules: rules}
}

// jailConf is jail.conf(5). jail(8) builds the root, mounts what belongs in it
// and takes both away again.
func (f parts) jailConf() (string, error) {
	params := f.prison.Params()
	params = append(params,
		jailparam.Own("exec.prepare", f.prepare()...),
		jailparam.Own("mount.devfs"),
	)
	if created := f.created(); len(created) > 0 {
		params = append(params, jailparam.Own("exec.created", created...))
	}
	if stop := f.poststop(); len(stop) > 0 {
		params = append(params, jailparam.Own("exec.poststop", stop...))
	}
	if release := f.release(); len(release) > 0 {
		params = append(params, jailparam.Own("exec.release", release...))
	}
	text, err := jailparam.Conf(f.prison.Name, params)
	if err != nil {
		return "", err
	}
	return f.header(
		"jail.conf(5): the jail of cell "+f.cell.Name+". Its rule set, "+strconv.Itoa(f.rules.Number)+", must be loaded before:",
		"skep plan --as devfs.rules. Then: jail -f FILE -c "+f.prison.Name+", and skep plan --as bhyve.",
		"skep besides compares /dev with the plan before bhyve starts, and once bhyve runs it empties",
		"the root, hides every node and turns allow.suser off.",
	) + spread(text), nil
}

// spread gives every value of a list a line of its own.
func spread(conf string) string {
	lines := strings.SplitAfter(conf, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "\texec.") {
			lines[i] = strings.ReplaceAll(strings.Replace(l, " = ", " =\n\t\t", 1), `", "`, "\",\n\t\t\"")
		}
	}
	return strings.Join(lines, "")
}

// prepare makes the root. It is run before anything is mounted, and the first
// command that fails ends it.
func (f parts) prepare() []string {
	// A rule set that is not loaded hides nothing: jail(8) would mount a /dev
	// with every disk of the host in it and say no word.
	cmds := []string{"devfs rule -s " + strconv.Itoa(f.rules.Number) + " show | grep -q hide", f.leftovers()}
	for _, d := range Specs[*Disk](f.plan) {
		if take := d.Take(); len(take) > 1 {
			cmds = append(cmds, take[:len(take)-1]...) // without the lock, which skep holds
		}
	}
	for _, d := range Specs[*ScratchCopy](f.plan) {
		cmds = append(cmds, d.Take()...)
	}
	for _, v := range Specs[*Vars](f.plan) {
		cmds = append(cmds, command("mkdir", "-p", filepath.Dir(v.Path)))
		cmds = append(cmds, v.Take()...)
	}
	cmds = append(cmds, f.furnish()...)
	for _, m := range Specs[*Mount](f.plan) {
		cmds = append(cmds, m.Take()...)
	}
	if !f.tree.Existing {
		cmds = append(cmds, command("mount", "-u", "-o", "ro", f.tree.Path))
	}
	return cmds
}

// leftovers takes down what an attempt that failed has left: jail(8) then runs
// exec.prepare and nothing else.
func (f parts) leftovers() string {
	argv := []string{"umount"}
	for _, m := range slices.Backward(Specs[*Mount](f.plan)) {
		argv = append(argv, m.Path)
	}
	for _, d := range Specs[*DevMount](f.plan) {
		argv = append(argv, d.Path)
	}
	if !f.tree.Existing {
		argv = append(argv, f.tree.Path)
	}
	return command(argv...) + " 2>/dev/null || true"
}

// furnish fills the root.
func (f parts) furnish() []string {
	t := f.tree
	var cmds []string
	if !t.Existing {
		// No mode: a tmpfs that was given one cannot be made read-only later
		// (tmpfs_updateopts in sys/fs/tmpfs/tmpfs_vfsops.c).
		cmds = append(cmds, command("mkdir", "-p", "-m", "0755", t.Path),
			command("mount", "-t", "tmpfs", "-o", "size="+strconv.FormatInt(t.Size, 10)+",nosuid", "tmpfs", t.Path))
	}
	return append(cmds, t.fill(f.copies)...)
}

// copies is the command that makes one file of the rootfs.
func (f parts) copies(c Copy) string {
	if c.From != ConfigFile {
		return f.tree.copied(c)
	}
	// The line of the file, without the password.
	before, _, _ := strings.Cut(hypervisor.BhyveConfig(f.cell, "PASSWORD"), "PASSWORD")
	return "umask 077; sed -e 's/%/%%/g' -e " + quote("s/^/"+before+"/") + " -e 1q " + quote(f.cell.Screen.PasswordFile) +
		" > " + quote(f.tree.Path+c.Inside)
}

// created runs on the host once the jail is there. Nothing in it could: hence
// ifconfig's -j, which FreeBSD 14 has.
func (f parts) created() []string {
	var cmds []string
	if f.prison.Network == cell.NetworkVnet {
		cmds = append(cmds, command("ifconfig", "-j", f.prison.Name, "lo0", "inet", "127.0.0.1/8", "up"))
	}
	for _, r := range Specs[*Rctl](f.plan) {
		cmds = append(cmds, r.Take()...)
	}
	return cmds
}

// poststop runs once the jail is gone; what its virtual machine left behind
// would hold its name.
func (f parts) poststop() []string {
	var cmds []string
	for _, vm := range Specs[*VM](f.plan) {
		for _, c := range vm.Release() {
			cmds = append(cmds, c+" 2>/dev/null || true")
		}
	}
	for _, r := range Specs[*Rctl](f.plan) {
		cmds = append(cmds, r.Release()...)
	}
	return cmds
}

// release takes the root away, in reverse. jail(8) returns before a jail that
// is dying has let go of its files, hence the patience.
func (f parts) release() []string {
	var cmds []string
	for _, m := range slices.Backward(Specs[*Mount](f.plan)) {
		cmds = append(cmds, patient(m.Release())...)
	}
	for _, d := range Specs[*ScratchCopy](f.plan) {
		cmds = append(cmds, d.Release()...)
	}
	return append(cmds, patient(f.tree.Release())...)
}

func patient(cmds []string) []string {
	out := slices.Clone(cmds)
	for i, c := range out {
		if strings.HasPrefix(c, "umount ") {
			out[i] = "for i in 1 2 3 4 5 6 7 8 9 10; do " + c + " 2>/dev/null && exit; sleep 1; done; " + c
		}
	}
	return out
}
