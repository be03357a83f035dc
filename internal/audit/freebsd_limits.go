package audit

import (
	"slices"
	"strings"

	"skep/internal/plan"
)

// limit: what it may take from the host.
func (a *bsdAudit) limit() {
	wanted := []plan.Rlimit{{Name: "core", Value: 0}}
	if a.want != nil {
		wanted = a.want.bhyve.Rlimits
	}
	for _, l := range wanted {
		id, want := "rlimit-"+l.Name, limitText(l.Value)
		got, ok := a.Limits[l.Name]
		a.yes(GroupLimits, id, want, got[0] == l.Value && got[1] == l.Value, ok, orNot(!ok, limitsText(got)))
	}
	if a.want != nil {
		a.kept(wanted, a.want.limits, a.Limits)
	} else if got, ok := a.Limits["fsize"]; ok {
		a.info(GroupLimits, "rlimit-fsize", limitText(got[1]))
	}
	a.rules()
}

// rules compares the limits of the jail, rule by rule. One that is on no list
// is extra: it may be laxer than ours, or starve the cell.
func (a *bsdAudit) rules() {
	if a.Proc.JID == 0 {
		a.add(GroupLimits, "rctl", Missing, "limits of its jail", "it is in no jail")
		return
	}
	if !a.RulesRead {
		a.add(GroupLimits, "rctl", Unknown, "limits of its jail", "cannot be read")
		return
	}
	var wanted []string
	if a.want != nil {
		for _, r := range plan.Specs[*plan.Rctl](a.want.plan) {
			wanted = append(wanted, r.Rules...)
		}
	}
	switch {
	case a.want == nil:
		a.yes(GroupLimits, "rctl", "limits of its jail", len(a.Rules) > 0, true, orWords(summary(a.Rules), orNot(!a.Counted, "none")+orNot(a.Counted, "none: kern.racct.enable is 0")))
		return
	case len(wanted) == 0 && !a.Counted:
		a.info(GroupLimits, "rctl", "none: kern.racct.enable is 0, so this kernel counts nothing")
		return
	}
	seen := map[string]string{}
	for _, r := range a.Rules {
		seen[ruleOf(r)] = r
	}
	for _, r := range wanted {
		a.equal(GroupLimits, "rctl-"+resource(r), r, orWords(seen[ruleOf(r)], "there is no such rule"))
	}
	var extra []string
	for _, r := range a.Rules {
		if !slices.ContainsFunc(wanted, func(w string) bool { return ruleOf(w) == ruleOf(r) }) {
			extra = append(extra, r)
		}
	}
	a.none(GroupLimits, "rctl", "no rule that is on no list", extra)
}

// ruleOf is a rule without its amount: subject, resource and action.
func ruleOf(rule string) string {
	s, _, _ := strings.Cut(rule, "=")
	return s
}

// resource is what a rule is about: "jail:skep-web:maxproc:deny=8".
func resource(rule string) string {
	parts := strings.Split(rule, ":")
	if len(parts) < 3 {
		return rule
	}
	return parts[2]
}
