//go:build linux || freebsd

package provision

import (
	"fmt"
	"os"
	"path/filepath"

	"skep/internal/access"
	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/plan"
)

// AccessRules are the rules of a socket for other users. A name that the host does not know is a mistake of the
// cell file: it might be given to somebody later, who would then have access.
func AccessRules(c *cell.Cell, s *plan.Access) (access.Rules, error) {
	rules, unknown := access.Resolve(s.Rules)
	var wrong []error
	for _, u := range unknown {
		wrong = append(wrong, plan.Located(c, fmt.Sprintf("access.%d.%ss", u.Block+1, u.Kind),
			fault.New(fault.Input, "accounts are looked up in /etc/passwd and /etc/group; a number does as well",
				"give the %s %s access: %v", u.Kind, u.Name, u.Err)))
	}
	return rules, fault.Join(wrong...)
}

func lookAtAccess(c *cell.Cell, s *plan.Access) []error {
	_, err := AccessRules(c, s)
	if all := fault.ListOf(err); all != nil {
		return all
	}
	return list(err)
}

// releaseAccess removes the socket, and the directory with the last one of a host.
func releaseAccess(s *plan.Access) error {
	if err := removeFile(s.Path); err != nil {
		return err
	}
	_ = os.Remove(filepath.Dir(s.Path)) // others may have sockets there
	return nil
}
