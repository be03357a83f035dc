package plan

import (
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/host"
)

// The address of a card that the file gives none differs between hosts, users,
// cells and cards, and stays once it is known.
func TestMACs(t *testing.T) {
	parse := func(name, body string) *cell.Cell {
		c, diags := cell.Parse("/x.hcl", []byte("cell \""+name+"\" {\n"+body+"\n}\n"))
		if diags != nil {
			t.Fatal(diags)
		}
		return c
	}
	web := parse("web", "nic \"lan\" { bridge = \"br0\" }\nnic \"wan\" {\n bridge = \"br0\"\n mac = \"02:00:5e:10:00:01\"\n}")
	here := host.Facts{Identity: "aa", EUID: 0}
	seen := map[string]string{}
	for name, mac := range map[string]string{
		"here":         MACs(web, here)["lan"],
		"another host": MACs(web, host.Facts{Identity: "bb"})["lan"],
		"another user": MACs(web, host.Facts{Identity: "aa", EUID: 1000})["lan"],
		"another cell": MACs(parse("web2", "nic \"lan\" { bridge = \"br0\" }"), here)["lan"],
		"another card": MACs(parse("web", "nic \"dmz\" { bridge = \"br0\" }"), here)["dmz"],
		"nobody's":     MACs(web, host.Facts{})["lan"],
	} {
		if other, ok := seen[mac]; ok || !strings.HasPrefix(mac, "02:") {
			t.Errorf("%s has %s, as has %q", name, mac, other)
		}
		seen[mac] = name
	}
	if again := MACs(web, here); seen[again["lan"]] != "here" || MACs(web, here)["wan"] != "02:00:5e:10:00:01" {
		t.Error("it is not the same twice, or a file's own address is not kept")
	}
	// What it had stays; a file that names the address which follows from the
	// names alone means that one.
	here.MACs = map[string]string{"lan": "02:11:22:33:44:55", "wan": "02:66:77:88:99:aa"}
	if got := MACs(web, here); got["lan"] != "02:11:22:33:44:55" || got["wan"] != "02:00:5e:10:00:01" {
		t.Error(got)
	}
	pinned := parse("web", "nic \"lan\" {\n bridge = \"br0\"\n mac = \""+MACs(web, host.Facts{})["lan"]+"\"\n}")
	if got, want := MACs(pinned, host.Facts{Identity: "aa"})["lan"], MACs(web, host.Facts{})["lan"]; got != want {
		t.Errorf("a given address became %s, want %s", got, want)
	}
}
