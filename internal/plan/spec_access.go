package plan

import (
	"path/filepath"
	"strings"

	"skep/internal/cell"
	"skep/internal/fault"
)

// Access is a socket on which every user of the host can connect to the keeper, which looks at who it is: the
// kernel's word and the rules decide, and not the mode of a file.
type Access struct {
	Path  string        `json:"path"`
	Rules []cell.Access `json:"rules"`
}

// accessID is the resource that an Access is.
const accessID = "socket:access"

// Kind implements Spec.
func (*Access) Kind() Kind { return KindAccess }

// Take implements Spec.
func (a *Access) Take() []string {
	var rules []string
	for _, r := range a.Rules {
		rules = append(rules, r.Who()+" may "+strings.Join(r.May, ", "))
	}
	return []string{
		command("mkdir", "-p", "-m", "0755", filepath.Dir(a.Path)),
		command("nc", "-lkU", a.Path) + " &  # " + cell.Printable(strings.Join(rules, "; ")),
		command("chmod", "0666", a.Path),
	}
}

// Release implements Spec.
func (a *Access) Release() []string {
	return []string{command("rm", a.Path), command("rmdir", filepath.Dir(a.Path)) + " || true"}
}

// access adds the socket for other users.
func (b *builder) access() {
	if len(b.cell.Access) > 0 {
		b.add(accessID, "access.1", "where those connect to the keeper whom the cell file gives access; it asks the kernel who they are",
			&Access{Path: b.host.Dirs.AccessSocket(b.cell.Name), Rules: b.cell.Access})
	}
}

// rootsOnly refuses an access block in what an ordinary user keeps.
func (b *builder) rootsOnly() Problems {
	if len(b.cell.Access) == 0 || b.host.EUID == 0 {
		return nil
	}
	return Problems{Located(b.cell, "access.1", fault.New(fault.Input, "remove the access block, or start the cell as root",
		"give others access to %s: what an ordinary user keeps is in directories that are closed to others", b.cell.Name))}
}
