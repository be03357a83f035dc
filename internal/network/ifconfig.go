package network

import (
	"slices"
	"strconv"
	"strings"
)

// attributes are what ifconfig(8) prints of an interface that matter here.
type attributes struct {
	description string
	groups      []string
	members     []string
	vlans       map[string]string // member -> what is said of its VLANs, on FreeBSD 15
	ether       string
	mtu         int
	up          bool
}

func parseIfconfig(text string) attributes {
	a := attributes{vlans: map[string]string{}}
	last := "" // the member that the lines to come are about
	for i, line := range strings.Split(text, "\n") {
		if i == 0 {
			_, flags, _ := strings.Cut(line, "<")
			flags, _, _ = strings.Cut(flags, ">")
			a.up = slices.Contains(strings.Split(flags, ","), "UP")
			if _, mtu, ok := strings.Cut(line, " mtu "); ok {
				a.mtu, _ = strconv.Atoi(strings.TrimSpace(mtu))
			}
			continue
		}
		if ether, ok := strings.CutPrefix(strings.TrimSpace(line), "ether "); ok {
			a.ether = ether
		}
		key, value, _ := strings.Cut(strings.TrimLeft(line, "\t "), ": ")
		switch key {
		case "description":
			a.description = value
		case "groups":
			last = ""
			a.groups = strings.Fields(value)
		case "member":
			if f := strings.Fields(value); len(f) > 0 {
				a.members = append(a.members, f[0])
				last = f[0]
				a.memberVLANs(last, f[1:])
			}
		default:
			if last != "" {
				a.memberVLANs(last, strings.Fields(line))
			}
		}
	}
	return a
}

// memberVLANs finds "untagged N" and "tagged LIST" among the words about a
// member of a bridge.
func (a *attributes) memberVLANs(member string, words []string) {
	for i := 0; i+1 < len(words); i++ {
		if words[i] == "untagged" || words[i] == "tagged" {
			a.vlans[member] = strings.TrimSpace(a.vlans[member] + " " + words[i] + " " + words[i+1])
		}
	}
}

// link is what they say of the interface itself.
func (a attributes) link(name string) Link {
	l := Link{Name: name, MTU: a.mtu, MAC: a.ether, Tag: a.description, Up: a.up}
	for _, kind := range []string{"tap", "bridge"} {
		if slices.Contains(a.groups, kind) {
			l.Kind = kind
		}
	}
	return l
}
