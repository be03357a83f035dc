package audit

import "fmt"

// Rows that are the same whatever host the process is on.

// built are the three of the eight protections that a program is built with, in the article's order. What
// its relocations come to in the live process differs between hosts.
func (j *judge) built(exe *Program, relro func()) {
	if exe == nil {
		for _, id := range []string{"cfi", "full-relro", "safestack"} {
			j.add(GroupEight, id, Unknown, "a readable program", "cannot be read")
		}
		return
	}
	j.info(GroupEight, "cfi", fmt.Sprintf("control-flow integrity: %s; CET marks: IBT %s, SHSTK %s", exe.CFI, exe.IBT, exe.SHSTK))
	relro()
	j.info(GroupEight, "safestack", fmt.Sprintf("SafeStack: %s; stack protector: %s", exe.SafeStack, exe.Protector))
}

// ofProgram is what the program says of itself.
func (j *judge) ofProgram(exe *Program) {
	if exe == nil {
		j.add(GroupProgram, "program", Unknown, "a readable ELF file", "cannot be read")
		return
	}
	exe.rows(j)
}

// alone: nobody else has its user.
func (j *judge) alone(others []string) {
	j.none(GroupIdentity, "uid-company", "no other process has its uid", others)
}

// ungrouped: it has no supplementary groups.
func (j *judge) ungrouped(groups []string) {
	j.none(GroupIdentity, "groups", "no supplementary groups", groups)
}

// untraced: nobody traces it.
func (j *judge) untraced(by []string) { j.none(GroupRights, "tracers", "nobody traces it", by) }

// environ: it has no environment. left is what is in it, for people.
func (j *judge) environ(read bool, left string) {
	switch {
	case !read:
		j.add(GroupPlace, "environ", Unknown, "empty", "cannot be read")
	case left != "":
		j.add(GroupPlace, "environ", Extra, "empty", left)
	default:
		j.add(GroupPlace, "environ", Seen, "empty", "empty")
	}
}

// compared is a row for two lists that must be one: what is there and on no list comes before what is
// missing. seen is what is said where they are.
func (j *judge) compared(group, id, want string, extra, missing []string, seen string) {
	switch {
	case len(extra) > 0:
		j.add(group, id, Extra, want, fmt.Sprintf("%d more: %s", len(extra), summary(extra)))
	case len(missing) > 0:
		j.add(group, id, Missing, want, "not there: "+summary(missing))
	default:
		j.add(group, id, Seen, want, seen)
	}
}
