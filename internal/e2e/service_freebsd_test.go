package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rcScript = "../../rc.d/skep"

// TestServiceAsks: rc.d/skep asks skep for the right things and believes its
// answers. The skep of this test writes down what it was asked.
func TestServiceAsks(t *testing.T) {
	needs(t, "vmm", "nmdm")
	dir := t.TempDir()
	asked := filepath.Join(dir, "asked")
	stub := filepath.Join(dir, "skep stub")
	script := "#!/bin/sh\necho \"$@\" >> " + asked + "\ncase \" $* \" in *\" $FAIL \"*) exit 3 ;; esac\n"
	if err := os.WriteFile(stub, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	service := func(verb string, env ...string) (string, []string, int) {
		t.Helper()
		os.Remove(asked)
		out, code := host(t, append([]string{"skep_program=" + stub, "FAIL=nothing"}, env...), "sh", rcScript, verb)
		b, _ := os.ReadFile(asked)
		return out, strings.Split(strings.TrimSpace(string(b)), "\n"), code
	}
	for _, tc := range []struct {
		verb string
		env  []string
		want string
		ok   bool
	}{
		{"onestart", nil, "up --boot", true},
		{"onestart", []string{"FAIL=up"}, "up --boot", false},
		{"onestart", []string{"skep_flags=--config-dir /x"}, "--config-dir /x up --boot", true},
		// What runs already is left alone.
		{"onestart", []string{"skep_cells=a b", "FAIL=b"}, "ps --running a|ps --running b|up b", false},
		{"onestart", []string{"skep_cells=a b"}, "ps --running a|ps --running b", true},
		{"onestatus", nil, "ps --running --boot", true},
		{"onestatus", []string{"skep_cells=a b", "FAIL=ps"}, "ps --running a b", false},
		{"onestop", nil, "down --all", true},
		{"onestop", []string{"FAIL=down"}, "down --all", false},
		// Nothing happens where rc.conf does not say so.
		{"start", []string{"skep_enable=NO"}, "", true},
		{"faststart", []string{"skep_enable=YES"}, "up --boot", true},
	} {
		out, got, code := service(tc.verb, tc.env...)
		if strings.Join(got, "|") != tc.want || (code == 0) != tc.ok {
			t.Errorf("%s %v: asked %q, status %d\n%s", tc.verb, tc.env, got, code, out)
		}
	}
}

// TestServiceOrder: rcorder(8) puts it behind what it needs.
func TestServiceOrder(t *testing.T) {
	scripts, err := filepath.Glob("/etc/rc.d/*")
	if err != nil || len(scripts) == 0 {
		t.Skip("no /etc/rc.d here")
	}
	// Its status says that the host's own scripts name what is not installed.
	out, _ := host(t, nil, append([]string{"rcorder"}, append(scripts, rcScript)...)...)
	for line := range strings.Lines(out) {
		if !file("/etc/rc.d/zfs") && strings.Contains(line, "`zfs'") {
			continue // a FreeBSD that was built without it
		}
		if strings.HasPrefix(line, "rcorder: ") && strings.Contains(line, rcScript) {
			t.Error(line)
		}
	}
	at := strings.LastIndex(out, rcScript) // not in what it says
	for _, first := range []string{"netif", "devfs", "zfs", "kld", "FILESYSTEMS"} {
		i := strings.Index(out, "/etc/rc.d/"+first+"\n")
		if i > at {
			t.Errorf("%s comes after it", first)
		}
	}
	if at < 0 {
		t.Errorf("it is not there: %s", out)
	}
	if s, _ := host(t, nil, append([]string{"rcorder", "-k", "shutdown"}, append(scripts, rcScript)...)...); !strings.Contains(s, rcScript) {
		t.Error("it is not stopped at shutdown")
	}
}

// TestServiceOnAHost: cells start with the host, are told the truth about, and
// stop with it.
func TestServiceOnAHost(t *testing.T) {
	needs(t, "vmm", "nmdm")
	l := newLab(t)
	base := strings.ReplaceAll(filepath.Base(l.dir), "skep-lab-", "s")
	one, two, other := base+"-1", base+"-2", base+"-3"
	l.cell(one, "  start = \"boot\"\n  after = [\""+two+"\"]")
	l.cell(two, "  start = \"boot\"")
	l.cell(other, "")
	env := append([]string{"skep_program=" + skep}, l.env...)
	service := func(verb string, more ...string) (string, int) {
		t.Helper()
		return host(t, append(env[:len(env):len(env)], more...), "sh", rcScript, verb)
	}
	t.Cleanup(func() { l.skep("kill", "--all") })

	if out, code := service("onestatus"); code == 0 || !strings.Contains(out, one) {
		t.Errorf("status of cells that do not run: %d\n%s", code, out)
	}
	if out, code := service("onestart"); code != 0 {
		t.Fatalf("status %d\n%s", code, out)
	}
	jails := must(t, "jls", "name")
	if !strings.Contains(jails, one) || !strings.Contains(jails, two) || strings.Contains(jails, other) {
		t.Errorf("jails: %s", jails)
	}
	if out, code := service("onestatus"); code != 0 || strings.Contains(out, other) {
		t.Errorf("status %d\n%s", code, out)
	}
	// Once more changes nothing.
	if out, code := service("onestart"); code != 0 {
		t.Errorf("status %d\n%s", code, out)
	}
	if out, code := service("onestatus", "skep_cells="+one+" "+other); code == 0 {
		t.Errorf("%s does not run: %s", other, out)
	}
	if out, code := service("onestart", "skep_cells="+one+" "+other); code != 0 {
		t.Errorf("status %d\n%s", code, out)
	}
	// One that dies is missed.
	if r := l.skep("kill", two); r.code != 0 {
		t.Error(r)
	}
	if out, code := service("onestatus"); code == 0 {
		t.Errorf("%s was killed: %s", two, out)
	}
	// Stop returns when the last of them is gone, those started by hand too.
	if out, code := service("onestop"); code != 0 {
		t.Errorf("status %d\n%s", code, out)
	}
	if jails := must(t, "jls", "name"); strings.Contains(jails, base) {
		t.Errorf("jails are left: %s", jails)
	}
}
