package jailparam

import (
	"strings"
	"testing"

	"skep/internal/jailconf"
)

// What is printed for jail.conf(5) says the same when it is read, whatever the
// values hold.
func FuzzConf(f *testing.F) {
	f.Add("web", "/jails/web", "echo \"$HOME\" '#' // \\n")
	f.Add("*", "", "\n\x00")
	f.Add("a.b", "${x}", "{;}")
	f.Fuzz(func(t *testing.T, name, path, command string) {
		text, err := Conf(name, []Param{String("path", path), Bool("allow.vmm", false), Own("exec.start", command, path)})
		if err != nil {
			return
		}
		c, err := jailconf.Parse(jailconf.Source{Name: "f", Text: text}, nil)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		if len(c.Jails()) == 0 {
			return // the name of a wildcard
		}
		j, err := c.Resolve(name)
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		start, _ := j.Find("exec.start")
		if got, _ := j.Value("path"); got != path || j.Bool("allow.vmm") || strings.Join(start.Values, "\x00") != command+"\x00"+path {
			t.Errorf("%q %q\n%s\nread as %+v", path, command, text, j.Params)
		}
	})
}
