package audit

import (
	"slices"
	"strings"

	"skep/internal/cell"
	"skep/internal/jailparam"
	"skep/internal/plan"
)

// onlyAllowed is the one permission that a cell's jail has: its VM would stop
// without.
const onlyAllowed = "allow.vmm"

// everyJail are the parameters that every cell's jail has, whatever its file
// says.
func everyJail() []jailparam.Param {
	var kept []jailparam.Param
	for _, p := range (&plan.Prison{Network: cell.NetworkNone, SecureLevel: 3}).Params() {
		switch p.Name {
		case "name", "path", "host.hostname", "devfs_ruleset", "persist":
		default:
			kept = append(kept, p)
		}
	}
	return kept
}

// params compares every parameter of the jail: those of the plan each in a row,
// and those of which the plan says nothing where they would widen it.
func (a *bsdAudit) params() {
	wanted := everyJail()
	if a.want != nil {
		wanted = a.want.params()
	}
	if a.Proc.JID == 0 {
		a.add(GroupRights, "jail-parameters", Missing, "those of a jail", "it is in no jail")
		return
	}
	if a.Params == nil {
		a.add(GroupRights, "jail-parameters", Unknown, "those of its jail", "cannot be read")
		return
	}
	judged := map[string]bool{}
	for _, p := range wanted {
		judged[p.Name] = true
		a.param(p)
	}
	var on []string
	for name, v := range a.Params {
		if strings.HasPrefix(name, "allow.") && v == "true" && !judged[name] && name != onlyAllowed {
			on = append(on, name)
		}
	}
	slices.Sort(on)
	a.none(GroupRights, "jail-permissions", "no allow.* that is on no list", on)
	a.equal(GroupRights, "jail-children.cur", "0", a.Params["children.cur"])
	a.equal(GroupRights, "jail-dying", "false", a.Params["dying"])
	if !judged["vnet"] {
		a.equal(GroupRights, "jail-vnet", jailparam.Inherit.String(), orWords(a.Params["vnet"], jailparam.Inherit.String()))
	}
	// Old ways to share memory and messages with whoever has the same key. They
	// come as modules, and are new in a jail only where somebody asks.
	var shared []string
	for _, name := range []string{"sysvmsg", "sysvsem", "sysvshm"} {
		if v := a.Params[name]; v != "" && v != jailparam.Disable.String() {
			shared = append(shared, name+" = "+v)
		}
	}
	a.none(GroupRights, "jail-sysvipc", "no System V messages, semaphores or shared memory", shared)
}

// param is the row of one parameter. A permission that is there and should not
// be is extra, all else that differs is missing.
func (a *bsdAudit) param(p jailparam.Param) {
	id, want, seen := "jail-"+p.Name, p.Value(), a.Params[p.Name]
	switch p.Name {
	case "path":
		if a.want != nil {
			want, seen = a.want.root(), a.want.resolve(seen)
		}
	case "ip4.addr", "ip6.addr":
		want, seen = sorted(want), sorted(seen)
	}
	if strings.HasPrefix(p.Name, "allow.") && want == "false" && seen == "true" {
		a.add(GroupRights, id, Extra, want, seen)
		return
	}
	a.equal(GroupRights, id, want, seen)
}

// sorted: the kernel keeps the first address first and sorts the others.
func sorted(list string) string {
	all := strings.Split(list, ",")
	slices.Sort(all)
	return strings.Join(all, ",")
}
