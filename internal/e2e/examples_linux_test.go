package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// exampleDir is where the examples have their images.
const exampleDir = "/var/lib/vm"

// An example starts as it stands where what its first line names is there, and
// it does not where it is not.
func TestExamplesStart(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.hcl")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".hcl")
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(b), "\n")
			needs, ok := strings.CutPrefix(first, "# Needs: ")
			if !ok || !strings.HasSuffix(needs, ".") {
				t.Fatalf("its first line does not say what it needs: %q", first)
			}
			startExample(t, name, string(b), strings.Split(strings.TrimSuffix(needs, "."), "; "))
		})
	}
}

func startExample(t *testing.T, name, text string, needs []string) {
	needCells(t)
	if needs[0] == "a FreeBSD host" {
		l := newLab(t)
		l.write("config/cells/"+name+".hcl", text)
		if r := l.must(2, "up", name); !strings.Contains(r.err, "Linux host") {
			t.Errorf("%s", r)
		}
		l.must(0, "plan", "--os", "freebsd", name)
		return
	}
	x := &example{t: t, text: text}
	var ns *netns
	if strings.Contains(text, "bridge") {
		needTap(t)
		ns = newNetns(t)
	}
	x.l = newLab(t)
	x.l.in, x.ns = ns, ns
	x.write(name)
	if needs[0] != "nothing" {
		if r := x.l.skep("up", name); r.code == 0 {
			t.Errorf("it starts without %s", strings.Join(needs, ", "))
		} else if r.code != 1 && r.code != 2 {
			t.Errorf("%s", r)
		}
		x.l.skep("kill", name)
	}
	for _, need := range needs {
		x.provide(need)
	}
	x.write(name)
	x.l.must(0, "check", name)
	x.l.must(0, "up", name)
	// One whose guest KVM fails on is started again, once, with emulation.
	eventually(t, slow, "it runs and its audit passes", func() bool {
		return x.l.show(name).State == "running" && x.l.skep("audit", name).code == 0
	})
	x.l.must(0, "kill", name)
	x.l.nothingLeft()
}

// example is one example on a host that gets what it needs.
type example struct {
	t    *testing.T
	l    *lab
	ns   *netns
	text string
}

// write writes the example with its images below the lab.
func (x *example) write(name string) {
	x.l.write("config/cells/"+name+".hcl", strings.ReplaceAll(x.text, exampleDir, x.l.path("vm")))
}

// provide makes what an example needs. What a test cannot bring about, such as
// memory or a ZFS pool, is changed in the file.
func (x *example) provide(need string) {
	x.t.Helper()
	what, rest, _ := strings.Cut(need, " ")
	rest, _, _ = strings.Cut(rest, " (")
	path := strings.Replace(rest, exampleDir, "vm", 1)
	change := func(pattern, with string) {
		was := x.text
		if x.text = regexp.MustCompile(pattern).ReplaceAllString(x.text, with); x.text == was {
			x.t.Errorf("the file has nothing of %q", need)
		}
	}
	switch {
	case need == "nothing", need == "a Linux host":
	case need == "UEFI firmware":
		needUEFI(x.t)
	case rest == "of memory":
		change(`memory = "`+what+`"`, `memory = "256M"`)
	case what == "directory":
		x.l.write(path+"/.keep", "")
	case what == "image", what == "iso":
		if !strings.Contains(x.text, `"`+rest+`"`) {
			x.t.Errorf("the file has nothing of %q", need)
		}
		x.l.write(path, strings.Repeat("\x00", 1<<20))
	case what == "volume", what == "pool":
		image := x.l.write("volume.img", strings.Repeat("\x00", 1<<20))
		change(`zvol +=`+` "`+rest+`[^"]*"`, `file = "`+image+`"`)
		x.text = regexp.MustCompile(`(?m)^ *(size|reserved) +=.*(40G|true).*\n`).ReplaceAllString(x.text, "")
	case what == "bridge":
		x.ns.run("ip", "link", "add", rest, "type", "bridge")
		x.ns.run("ip", "link", "set", rest, "up")
	case what == "uplink":
		x.ns.run("ip", "tuntap", "add", rest, "mode", "tap")
	case what == "address":
		x.ns.run("ip", "address", "add", rest+"/24", "dev", "lo")
		x.ns.run("ip", "link", "set", "lo", "up")
	case what == "kernel", what == "initrd":
		k := needKernel(x.t)
		change(`"`+regexp.QuoteMeta(rest)+`"`, `"`+map[string]string{"kernel": k.Image, "initrd": k.Initrd}[what]+`"`)
	default:
		x.t.Errorf("nobody knows how to bring about %q", need)
	}
}

// run runs a command of the host's in the namespace.
func (n *netns) run(args ...string) {
	n.t.Helper()
	n.do(func() error {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	})
}
