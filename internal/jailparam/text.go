package jailparam

import (
	"fmt"
	"strings"
)

// Conf is a jail of jail.conf(5) with these parameters. The jail's name stands
// in front of the block, and jail(8) refuses to hear it again inside.
func Conf(jail string, params []Param) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s {\n", quote(jail))
	for _, p := range params {
		if err := p.check(); err != nil {
			return "", err
		}
		if p.Name == "name" {
			if p.text != jail {
				return "", fmt.Errorf("jail %q cannot have the name %q", jail, p.text)
			}
			continue
		}
		values, some := p.values()
		if !some {
			fmt.Fprintf(&b, "\t%s;\n", p.label())
			continue
		}
		quoted := make([]string, max(len(values), 1))
		quoted[0] = quote("")
		for i, v := range values {
			quoted[i] = quote(v)
		}
		fmt.Fprintf(&b, "\t%s = %s;\n", p.Name, strings.Join(quoted, ", "))
	}
	b.WriteString("}\n")
	return b.String(), nil
}

// Argv is the jail(8) command that makes a jail with these parameters, in the
// order given. The jail's name is among them.
func Argv(params []Param) ([]string, error) {
	argv := []string{"jail", "-c"}
	for _, p := range params {
		if err := p.check(); err != nil {
			return nil, err
		}
		argv = append(argv, p.String())
	}
	return argv, nil
}

// quote writes a word as jail.conf(5) takes it. Inside double quotes a
// backslash, the quote itself and a dollar need a backslash; plain words need
// nothing.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-:") == "" {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' || c == '"' || c == '$':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
