package cell

import (
	"fmt"
	"strings"
)

// need reports that a block lacks an attribute it cannot do without.
func (r *reader) need(path, attr, sample string) {
	if !r.said(under(path, attr)) {
		r.lacks(path, wrong("needs %s", attr).but("add %s", sample))
	}
}

// lacks reports that the block at path is not complete. A block without a good
// name has no place and was reported for that.
func (r *reader) lacks(path string, m *mistake) {
	if rng, ok := r.places[path]; ok {
		r.report(rng, kindOf(path)+" block", m)
	}
}

// exactlyOne reports when not exactly one of the attributes is there.
func (r *reader) exactlyOne(path, what string, attrs ...string) {
	first := ""
	for _, a := range attrs {
		switch {
		case !r.said(under(path, a)):
		case first == "":
			first = a
		default:
			r.at(under(path, a), a, wrong("cannot be combined with %s", first).but("keep one of the two"))
		}
	}
	if first == "" {
		r.lacks(path, wrong("needs %s", enumerate(attrs, "or")))
	}
}

// kindOf is the type of the block at path.
func kindOf(path string) string {
	parts := strings.Split(path, ".")
	if len(parts) > 3 && parts[0] == "nic" {
		return parts[2] // a block in it
	}
	if len(parts) > 1 && parts[0] != "jail" {
		return parts[0]
	}
	return parts[len(parts)-1]
}

// only reports the attribute if it stands in a block that it means nothing in.
func (r *reader) only(path, attr, where string) {
	if at := under(path, attr); r.said(at) {
		r.at(at, attr, wrong("only valid %s", where).but("leave it out"))
	}
}

func checkDisk(r *reader, path string, d *Disk) {
	r.exactlyOne(path, "disk", "file", "zvol", "iso", "device", "base", "image")
	file, zvol := r.said(under(path, "file")), r.said(under(path, "zvol"))
	base, image := r.said(under(path, "base")), r.said(under(path, "image"))
	if !file && !base {
		r.only(path, "format", "together with file or base")
	}
	if !file && !zvol && !base && !image {
		r.only(path, "size", "together with file, zvol, base or image")
	}
	if !base && !image {
		r.only(path, "disposable", "together with base or image")
	} else if at := under(path, "read_only"); r.said(at) && d.ReadOnly {
		r.at(at, "read_only", wrong("a layer is there to be written").but("use file = … for an image that is only read"))
	}
	if !zvol {
		r.only(path, "reserved", "together with zvol")
	} else if d.Reserved && !r.said(under(path, "size")) {
		r.at(under(path, "reserved"), "reserved", wrong("needs size, as it only matters when the zvol is created").but(`add size = "20G"`))
	}
	if d.ReadOnly && !base && !image && r.said(under(path, "size")) {
		r.at(under(path, "size"), "size", wrong("a new disk that is read-only would stay empty").but("leave out size or read_only"))
	}
	if at := under(path, "read_only"); r.said(under(path, "iso")) && r.said(at) && !d.ReadOnly {
		r.at(at, "read_only", wrong("an iso is always read-only").but("use file for an image that the guest writes to"))
	}
}

func checkBridge(r *reader, path string, b *Bridge) {
	if at := under(path, "uplink"); !b.Create && r.said(at) && !r.bad(under(path, "create")) {
		r.at(at, "uplink", wrong("needs create = true, as an existing bridge is not changed").but("add create = true"))
	}
}

func checkJail(r *reader, path string, j *Jail) {
	ip4, ip6 := under(path, "ip4"), under(path, "ip6")
	if r.bad(under(path, "network")) {
		return
	}
	if j.Network == NetworkShared {
		if !r.said(ip4) && !r.said(ip6) {
			r.at(under(path, "network"), `network "shared"`, wrong("needs ip4 or ip6").but(`add ip4 = ["192.0.2.1"] with one of this host's addresses`))
		} else if len(j.IP4)+len(j.IP6) == 0 && !r.bad(ip4) && !r.bad(ip6) {
			r.at(under(path, "network"), `network "shared"`, wrong("ip4 and ip6 are empty"))
		}
		return
	}
	for _, at := range []string{ip4, ip6} {
		if !r.said(at) {
			continue
		}
		why := wrong("the jail has no network").but(`add network = "shared"`)
		if j.Network == NetworkVnet {
			why = wrong("a vnet jail does not use addresses of the host").but("leave it out, or use network = \"shared\"")
		}
		r.at(at, at[len(path)+1:], why)
	}
}

// bad tells whether a mistake was found within the value at path.
func (r *reader) bad(path string) bool {
	rng, ok := r.places[path]
	if !ok {
		return false
	}
	from, to := r.pos(rng.Start), r.pos(rng.End)
	for _, d := range r.found {
		if !d.Pos.before(from) && d.Pos.before(to) {
			return true
		}
	}
	return false
}

func (p Pos) before(q Pos) bool {
	return p.Line < q.Line || p.Line == q.Line && p.Column < q.Column
}

// checkCell looks at what belongs together across the blocks of a cell.
func checkCell(r *reader, path string, c *Cell) {
	if r.said("kernel") && r.said("boot") {
		r.at("boot", "boot", wrong("cannot be combined with the kernel block on line %d", r.places["kernel"].Start.Line).but("keep one of the two"))
	}
	if r.said("loader") && c.Boot.Kind != BootLoader && !r.bad("boot") {
		r.at("loader", "loader block", wrong("only valid together with boot = \"loader\"").but(`add boot = "loader"`))
	}
	for i, name := range c.After {
		if name == c.Name {
			r.at("after", fmt.Sprintf("after %q", c.After[i]), wrong("a cell cannot wait for itself"))
		}
	}
	checkTwice(r, c)
	checkTrust(r, c)
	checkSecureBoot(r, c)
	checkBridges(r, c)
	checkListen(r, c)
	checkLimits(r, c)
}
