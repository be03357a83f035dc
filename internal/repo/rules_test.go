package repo

import (
	"bytes"
	"go/format"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// forbidden says of a package what it must not import, because its promise hangs on it.
var forbidden = map[string]struct {
	imports []string
	why     string
}{
	"internal/cell":             {[]string{"skep/internal/fault", "skep/internal/host", "skep/internal/probe", "skep/internal/plan", "skep/internal/store", "skep/internal/jail", "os", "os/exec", "syscall", "golang.org/x/sys/unix"}, "a cell file is read without looking at any machine"},
	"internal/fault":            {[]string{"skep/"}, "it is below everything"},
	"internal/layer":            {[]string{"skep/", "os", "os/exec", "syscall", "golang.org/x/sys/unix"}, "which layers there are is decided without touching a host"},
	"internal/plan":             {[]string{"os", "os/exec", "syscall", "golang.org/x/sys/unix", "skep/internal/jail", "skep/internal/store", "skep/internal/keeper"}, "a plan is pure"},
	"internal/jail":             {[]string{"skep/internal/jail/", "skep/internal/cell", "skep/internal/host", "skep/internal/plan", "skep/internal/store", "skep/internal/keeper", "os/exec", "golang.org/x/sys/unix"}, "it is what both jails share, and acts on nothing"},
	"internal/jail/linuxjail":   {[]string{"skep/internal/cell", "skep/internal/host", "skep/internal/plan", "skep/internal/store", "skep/internal/keeper"}, "the launcher knows nothing of cells, only what it is handed"},
	"internal/jail/freebsdjail": {[]string{"skep/internal/cell", "skep/internal/host", "skep/internal/plan", "skep/internal/store", "skep/internal/keeper"}, "the launcher knows nothing of cells, only what it is handed"},
	"internal/jailparam":        {[]string{"skep/"}, "it writes bytes and text"},
	"internal/elf":              {[]string{"skep/"}, "it reads programs"},
	"internal/screen":           {[]string{"skep/"}, "it draws pictures"},
	"internal/hypervisor":       {[]string{"skep/internal/host", "skep/internal/plan", "skep/internal/jail", "skep/internal/store", "skep/internal/keeper"}, "it knows hypervisors and no hosts"},
	"internal/host":             {[]string{"skep/internal/plan", "skep/internal/store", "skep/internal/keeper"}, "facts come before plans"},
	"internal/probe":            {[]string{"skep/internal/plan", "skep/internal/store", "skep/internal/keeper"}, "facts come before plans"},
	"internal/drill/report":     {[]string{"os", "os/exec", "net", "syscall", "golang.org/x/sys/unix", "skep/internal/drill", "skep/internal/plan", "skep/internal/provision", "skep/internal/keeper"}, "what came of a drill is told without attacking anything"},
	"internal/address":          {[]string{"skep/"}, "it reads text"},
	"internal/store":            {[]string{"skep/internal/keeper"}, "it is told what to remember"},
	"guest/hello":               {[]string{"skep/"}, "the built-in guest needs nothing"},
	"internal/jail/seccomp":     {[]string{"skep/", "os", "golang.org/x/sys/unix"}, "filters are compiled and tested without a kernel"},
}

// TestImports guards the one way in which data flows.
func TestImports(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test() {
			continue
		}
		for _, i := range f.imports {
			for _, no := range forbidden[f.pkg].imports {
				if i == no || strings.HasSuffix(no, "/") && strings.HasPrefix(i, no) {
					t.Errorf("%s imports %s: %s", f.path, i, forbidden[f.pkg].why)
				}
			}
			if f.pkg != "cmd/skep" && f.pkg != "internal/repo" && i == "skep/internal/cli" {
				t.Errorf("%s imports the command line", f.path)
			}
		}
	}
}

// The drill's packages, each with those of them that it may import: what is laid out knows no attempt, an attempt
// knows nobody who brings an attacker, and none but these make a drill.
func TestBordersOfTheDrill(t *testing.T) {
	may := map[string][]string{
		"internal/drill/report": {},
		"internal/drill/bait":   {},
		"internal/drill/attack": {"internal/drill/report", "internal/drill/bait"},
		"internal/drill":        {"internal/drill/report", "internal/drill/bait", "internal/drill/attack"},
		"internal/drill/peers":  {"internal/drill/report", "internal/drill"},
	}
	seen := map[string]bool{}
	for _, f := range goFiles(t) {
		if !strings.HasPrefix(f.pkg, "internal/drill") {
			continue
		}
		seen[f.pkg] = true
		those, known := may[f.pkg]
		if !known {
			t.Errorf("%s is in a package that has no row here", f.path)
		}
		for _, i := range f.imports {
			i = strings.TrimPrefix(i, "skep/")
			if strings.HasPrefix(i, "internal/drill") && !slices.Contains(those, i) {
				t.Errorf("%s imports %s, which its package may not", f.path, i)
			}
			if f.pkg == "internal/drill/attack" && !f.test() && i == "internal/keeper" {
				t.Errorf("%s imports the keeper: an attempt starts no cell", f.path)
			}
		}
	}
	if len(seen) != len(may) {
		t.Errorf("%d packages of the drill were found, want %d", len(seen), len(may))
	}
}

// TestNoSwitchOnSystem: what differs between systems is in files of that system, so that the
// compiler sees both sides. Saying which system this is (version, a fact) is no decision.
func TestNoSwitchOnSystem(t *testing.T) {
	decides := regexp.MustCompile(`(switch|if|case|==|!=)[^\n]*runtime\.GOOS|runtime\.GOOS\s*(==|!=)`)
	for _, f := range goFiles(t) {
		if f.test() || f.system() != "" || strings.HasPrefix(f.pkg, "internal/repo") {
			continue
		}
		if at := decides.Find(f.src); at != nil {
			t.Errorf("%s decides by runtime.GOOS: %s", f.path, at)
		}
	}
}

// TestJudgesArePure: whether a live process is as its plan says is judged on what was observed, for both hosts on
// either. Only files of one system look at a machine.
func TestJudgesArePure(t *testing.T) {
	judges := 0
	for _, f := range goFiles(t) {
		name := path.Base(f.path)
		if f.pkg != "internal/audit" || f.test() || !strings.HasPrefix(name, "linux_") && !strings.HasPrefix(name, "freebsd_") {
			continue
		}
		judges++
		for _, i := range f.imports {
			switch i {
			case "os", "io/fs", "os/exec", "syscall", "net", "golang.org/x/sys/unix", "skep/internal/jail/linuxjail",
				"skep/internal/jail/freebsdjail", "skep/internal/process", "skep/internal/probe":
				t.Errorf("%s imports %s: a judge touches no machine", f.path, i)
			}
		}
		if f.system() != "" {
			t.Errorf("%s is built on one system only", f.path)
		}
	}
	if judges < 12 {
		t.Errorf("only %d files of judges were found", judges)
	}
}

// TestPathsInOnePlace: what a file of skep's is called is said in package layout alone. What looks at a host
// from outside, as a user would, says it for itself.
func TestPathsInOnePlace(t *testing.T) {
	names := regexp.MustCompile(`"(console\.log|hypervisor\.log|keeper\.log|uefi-vars\.fd|(last|macs|disks|state|detail)\.json|` +
		`(control|console|screen|qmp|gdb)\.sock|slots|cells|locks)"\)?[,)]`)
	for _, f := range goFiles(t) {
		if f.test() || f.pkg == "internal/layout" || f.pkg == "internal/matrix" || f.pkg == "internal/bench" {
			continue
		}
		for _, line := range strings.Split(string(f.src), "\n") {
			if strings.Contains(line, "filepath.Join(") && names.MatchString(line) {
				t.Errorf("%s: this path is package layout's to build: %s", f.path, strings.TrimSpace(line))
			}
		}
	}
}

// TestPackageDocs: every package says in a sentence what it is, in a file that every system
// builds, or in one for each system it exists on.
func TestPackageDocs(t *testing.T) {
	docs := map[string][]string{}
	var pkgs []string
	for _, f := range goFiles(t) {
		if f.test() {
			continue
		}
		if !slices.Contains(pkgs, f.pkg) {
			pkgs = append(pkgs, f.pkg)
		}
		if f.doc != "" {
			docs[f.pkg] = append(docs[f.pkg], f.doc)
		}
	}
	for _, p := range pkgs {
		switch n := len(docs[p]); {
		case n == 0:
			t.Errorf("%s: no file has a package comment", p)
		case n > 2:
			t.Errorf("%s: %d files have a package comment", p, n)
		case !strings.HasPrefix(docs[p][0], "Package ") && !strings.HasPrefix(docs[p][0], "Command "):
			t.Errorf("%s: its comment begins with %.40q", p, docs[p][0])
		}
	}
}

// TestFileLength: a file is about one subject, and read in one sitting. Tests may be longer.
func TestFileLength(t *testing.T) {
	for _, f := range goFiles(t) {
		if n := bytes.Count(f.src, []byte("\n")); n > 400 && !f.test() {
			t.Errorf("%s has %d lines, more than 400: part it where its subjects part", f.path, n)
		}
	}
}

func TestFormatted(t *testing.T) {
	for _, f := range goFiles(t) {
		out, err := format.Source(f.src)
		if err != nil {
			t.Errorf("%s: %v", f.path, err)
		} else if !bytes.Equal(out, f.src) {
			t.Errorf("%s: gofmt would change it", f.path)
		}
	}
}

// TestNoInit: commands and tables are built where they can be seen.
func TestNoInit(t *testing.T) {
	for _, f := range goFiles(t) {
		if !f.test() && regexp.MustCompile(`(?m)^func init\(\)`).Match(f.src) {
			t.Errorf("%s has an init function", f.path)
		}
	}
}

// TestRequirements: each module that go.mod asks for directly has a word on why in
// docs/architecture.md.
func TestRequirements(t *testing.T) {
	used := map[string]bool{}
	for _, f := range goFiles(t) {
		for _, i := range f.imports {
			if strings.Contains(strings.Split(i, "/")[0], ".") {
				used[i] = true
			}
		}
	}
	doc := read(t, "docs/architecture.md")
	for _, line := range strings.Split(read(t, "go.mod"), "\n") {
		words := strings.Fields(line)
		if len(words) < 2 || !strings.Contains(words[0], ".") {
			continue
		}
		direct := false
		for i := range used {
			direct = direct || i == words[0] || strings.HasPrefix(i, words[0]+"/")
		}
		if direct && !strings.Contains(doc, "`"+words[0]+"`") {
			t.Errorf("docs/architecture.md does not say why %s is needed", words[0])
		}
	}
}

// TestRooms: the table of packages in docs/architecture.md is the packages.
func TestRooms(t *testing.T) {
	doc := read(t, "docs/architecture.md")
	seen := map[string]bool{}
	for _, f := range goFiles(t) {
		if !f.test() && !seen[f.pkg] {
			seen[f.pkg] = true
			if !strings.Contains(doc, "| `"+f.pkg+"` |") {
				t.Errorf("docs/architecture.md has no row for %s", f.pkg)
			}
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:cmd|guest|internal)/[^`]*)` \\|").FindAllStringSubmatch(doc, -1) {
		if !seen[m[1]] {
			t.Errorf("docs/architecture.md has a row for %s, which is not there", m[1])
		}
	}
}
