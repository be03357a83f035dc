package cell

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"skep/internal/address"
)

// What a card on a network in user space may say.

var answerBlock = block[Answer]{
	attrs: []attr[Answer]{
		at("file", filePath, func(a *Answer) *string { return &a.File }),
	},
	fresh: func() Answer { return Answer{} },
	check: func(r *reader, path string, _ *Answer) { r.need(path, "file", `file = "page.html"`) },
}

// answerRule: a protocol, or a port of one that nobody here speaks.
func answerRule(s string) *mistake {
	if s == "http" || s == "https" {
		return nil
	}
	kind, port, _ := strings.Cut(s, "-")
	n, err := strconv.Atoi(port)
	if (kind == "tcp" || kind == "udp") && err == nil && n > 0 && n < 65536 && strconv.Itoa(n) == port {
		return nil
	}
	return wrong("must be http, https, or tcp- or udp- and a port, such as %q", "tcp-4444")
}

// mostNames bounds the answers of one card.
const mostNames = 256

// addresses are addresses of names: { "example.org" = "198.18.0.9" }.
var addresses = kind[map[string]string]{
	read: func(r *reader, name string, e hclsyntax.Expression) (map[string]string, bool) {
		object, ok := e.(*hclsyntax.ObjectConsExpr)
		if !ok {
			r.value(e.Range(), name, mustBe("names with their addresses").but("such as %s", `{ "example.org" = "198.18.0.9" }`))
			return nil, false
		}
		all, good := map[string]string{}, true
		for _, item := range object.Items {
			key, diags := item.KeyExpr.Value(nil)
			if diags.HasErrors() || key.Type() != cty.String {
				r.value(item.KeyExpr.Range(), name, wrong("must have names in quotes"))
				good = false
				continue
			}
			host := strings.ToLower(key.AsString())
			if m := dnsNameRule(host); m != nil {
				r.value(item.KeyExpr.Range(), name, m)
				good = false
			} else if _, twice := all[host]; twice {
				r.value(item.KeyExpr.Range(), name, wrong("already in the list"))
				good = false
			}
			to, ok := text(ip4Rule).read(r, name, item.ValueExpr)
			good = good && ok
			all[host] = to
		}
		if len(all) > mostNames {
			r.value(e.Range(), name, wrong("has %d names, at most %d are allowed", len(all), mostNames))
			return nil, false
		}
		return all, good
	},
	write: func(all map[string]string) cty.Value {
		if len(all) == 0 {
			return cty.MapValEmpty(cty.String)
		}
		vals := map[string]cty.Value{}
		for k, v := range all {
			vals[k] = cty.StringVal(v)
		}
		return cty.MapVal(vals)
	},
}

// dnsNameRule: a name, all below one ("*.example.org"), or all ("*").
func dnsNameRule(s string) *mistake {
	if s == "*" {
		return nil
	}
	return hostnameRule(strings.ReplaceAll(strings.TrimPrefix(s, "*."), "_", "-"))
}

func ip4Rule(s string) *mistake {
	if a, err := netip.ParseAddr(s); err != nil || !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return wrong("must be an IPv4 address, such as %q", "198.18.0.9")
	}
	return nil
}

// allowRule: what package usernet reads; here is no more than its form.
func allowRule(s string) *mistake {
	if _, err := address.ParseRule(s); err != nil {
		return wrong("%s", err.Error())
	}
	return nil
}

func checkNIC(r *reader, path string, n *NIC) {
	r.exactlyOne(path, "nic", "bridge", "tap", "network")
	if r.bad(under(path, "network")) {
		return
	}
	if at := under(path, "capture_size"); r.said(at) && !n.Capture && !r.bad(under(path, "capture")) {
		r.at(at, "capture_size", wrong("only valid together with capture = true").but("add capture = true, or leave it out"))
	}
	if n.Bridge == "" && !r.bad(under(path, "bridge")) {
		for _, name := range []string{"vlan", "isolated", "rate_in", "rate_out"} {
			r.only(path, name, "together with bridge")
		}
	}
	if n.Network != NetworkUser {
		r.only(path, "allow", `together with network = "user"`)
	}
	if n.Network != NetworkLab {
		r.only(path, "segment", `together with network = "lab"`)
	}
	if n.Network != NetworkSinkhole {
		r.only(path, "dns", `together with network = "sinkhole"`)
		for _, a := range n.Answers {
			at := under(path, "answer."+a.Of)
			r.at(at, "answer "+strconv.Quote(a.Of), wrong("only valid %s", `together with network = "sinkhole"`).but("leave it out"))
		}
	}
}

// AnswersOf are what a card's answers are of, sorted.
func (n NIC) AnswersOf() (all []string) {
	for _, a := range n.Answers {
		all = append(all, a.Of)
	}
	slices.Sort(all)
	return all
}
