package attack

import (
	"fmt"
	"strings"
)

// Markdown is the table of attempts for docs/security.md: what was measured once, as the rows say it.
func Markdown() string {
	var b strings.Builder
	group := ""
	for _, a := range All() {
		if a.Group != group {
			group = a.Group
			fmt.Fprintf(&b, "\n**%s**\n\n| attempt | the intruder tries to | layers that stop it, each alone |\n|---|---|---|\n", group)
		}
		stops := "–"
		if ids := strings.Fields(a.By); len(ids) > 0 {
			stops = "`" + strings.Join(ids, "` `") + "`"
		}
		for _, why := range []string{a.Single, a.NoControl} {
			if why != "" {
				stops += "; " + why
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", a.ID, a.Tries, stops)
	}
	return strings.TrimPrefix(b.String(), "\n") + early() +
		beside("in the worker's place, with what it was handed", handedAttempts()) +
		beside("in the worker's place, against the keeper's protocol", ProtocolAttempts()) +
		beside("in the place of a network in user space or a capture, with what it was handed", CardAttempts()) +
		beside("in the place of a TPM, with what it was handed", TpmAttempts())
}

// beside is what an attacker in another place than the hypervisor's tries besides.
func beside(where string, all []Attempt) string {
	var b strings.Builder
	for _, a := range all {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", a.ID, a.Tries, strings.ReplaceAll(a.Want, " | ", " or "))
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n**" + where + "**\n\n| attempt | the intruder tries to | what comes of it |\n|---|---|---|\n" + b.String()
}

// early is what may succeed in the start, and what is tried with that which can be taken along from it.
func early() string {
	var b strings.Builder
	for _, a := range All() {
		if a.Early != "" {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", a.ID, a.Tries, a.Early)
		}
	}
	if b.Len() > 0 {
		return "\n**allowed in the start**\n\n| attempt | in the start the intruder can | why it lets nobody out |\n|---|---|---|\n" + b.String() + taken()
	}
	return ""
}

func taken() string {
	var b strings.Builder
	b.WriteString("\n**taken along from the start**\n\n| attempt | afterwards the intruder tries to | layers that stop it |\n|---|---|---|\n")
	for _, a := range HeadStarts() {
		fmt.Fprintf(&b, "| %s | %s | `%s` |\n", a.ID, a.Tries, strings.ReplaceAll(a.By, " ", "` `"))
	}
	return b.String()
}
