package cell

import (
	"encoding/json"
	"strings"
	"testing"
)

// What a cell file says otherwise is named, and nothing else is: no comment, no
// order of lines, no default that is written out, no name of the file.
func TestDifferences(t *testing.T) {
	const web = `
  memory = "1G"
  boot   = "uefi"
  disk "root" { file = "/a.img" }
  disk "data" { file = "/b.img" }
  nic "lan" { bridge = "br0" }
  screen {}
`
	for name, c := range map[string]struct{ body, want string }{
		"the same":            {web, ""},
		"a comment":           {"# one more\n" + web, ""},
		"a default":           {web + "cpus = 1\nstart = \"manual\"\njail {\n  limits {}\n}\n", ""},
		"a value":             {strings.Replace(web, "1G", "2G", 1), "memory"},
		"unit only":           {strings.Replace(web, "1G", "1024M", 1), ""},
		"a value in a block":  {strings.Replace(web, "/a.img", "/c.img", 1), "disk.root.file"},
		"of the other disk":   {strings.Replace(web, "{ file = \"/b.img\"", "{\n    file = \"/b.img\"\n    read_only = true\n  }\n#", 1), "disk.data.read_only"},
		"a MAC":               {strings.Replace(web, "{ bridge = \"br0\"", "{\n    bridge = \"br0\"\n    mac = \"02:00:00:00:00:01\"\n  }\n#", 1), "nic.lan.mac"},
		"a block less":        {strings.Replace(web, "  screen {}\n", "", 1), "screen"},
		"a block more":        {web + "gdb { listen = \"127.0.0.1:1234\" }\n", "gdb"},
		"a disk less":         {strings.Replace(web, "  disk \"data\" { file = \"/b.img\" }\n", "", 1), "disk.data"},
		"a disk more":         {web + "disk \"more\" { file = \"/c.img\" }\n", "disk.more"},
		"disks the other way": {strings.Replace(strings.Replace(strings.Replace(web, "root", "x", 1), "data", "root", 1), "x", "data", 1), "disk.root.file disk.data.file disk"},
		"deeper":              {web + "jail {\n  limits { cpu = \"50%\" }\n}\n", "jail.limits.cpu"},
		"relaxed":             {web + "jail { allow_missing = [\"landlock\"] }\n", "jail.allow_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			runs, now := parsed(t, "web.hcl", web), parsed(t, "other.hcl", c.body)
			runs = stored(t, runs)
			if got := strings.Join(runs.Differences(now), " "); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if same := runs.Digest() == now.Digest(); same != (c.want == "") {
				t.Errorf("the digests are the same: %v", same)
			}
		})
	}
}

// What a start has settled is no difference.
func TestDifferencesSettled(t *testing.T) {
	runs, now := parsed(t, "web.hcl", ""), parsed(t, "web.hcl", "")
	runs.Accel = AccelTCG // KVM had failed
	if got := runs.Differences(now); len(got) > 0 {
		t.Error(got)
	}
	now.Accel = AccelKVM
	if got := runs.Differences(now); len(got) != 1 || got[0] != "accel" {
		t.Error(got)
	}
	named := parsed(t, "web.hcl", "nic \"lan\" { bridge = \"br0\" }").Renamed("two")
	if got := named.Differences(stored(t, named)); len(got) > 0 {
		t.Error(got)
	}
}

func parsed(t *testing.T, file, body string) *Cell {
	t.Helper()
	c, diags := Options{Layers: []string{"landlock"}}.Parse(file, []byte("cell \"web\" {\n"+body+"\n}\n"))
	if len(diags) > 0 {
		t.Fatal(diags[0])
	}
	return c
}

// stored is a cell as it comes back from the state.
func stored(t *testing.T, c *Cell) *Cell {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back Cell
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return &back
}
