package plan

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclparse"

	"skep/internal/cell"
)

// jobCells are cells for each thing that a job says of one.
var jobCells = map[string]string{
	"hello": `cell "hello" {}`,
	"lab": `cell "lab" {
  cpus         = 2
  memory       = "2G"
  accel        = "kvm"
  boot         = "uefi"
  stop_timeout = "45s"
  time_limit   = "10m"
  disk "root" {
    image      = "debian-13"
    disposable = true
  }
}`,
	"slow": `cell "slow" {
  accel        = "tcg"
  stop_timeout = "10m"
}`,
}

// Each form is as its golden file has it, for no host in particular, and is what it says it is.
func TestAsJob(t *testing.T) {
	for name, text := range jobCells {
		path := "/srv/cells of the lab/" + name + ".hcl"
		c, diags := cell.Parse(path, []byte(text))
		if len(diags) > 0 {
			t.Fatal(diags)
		}
		for _, form := range JobForms {
			first, err := As(form, c, nil)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "jobs", name+"."+form)
			if *update {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, []byte(first), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), first); d != "" {
				t.Errorf("%s as %s (-want +got):\n%s", name, form, d)
			}
			wellFormed(t, form, first)
		}
	}
}

// wellFormed asks whoever knows the form, as far as that is on this machine.
func wellFormed(t *testing.T, form, text string) {
	t.Helper()
	switch form {
	case "sbatch":
		shell, err := exec.LookPath("bash")
		if err != nil {
			shell = "sh" // FreeBSD has no bash of its own
		}
		cmd := exec.Command(shell, "-n")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("bash does not read it: %v\n%s%s", err, out, text)
		}
	case "nomad":
		if _, diags := hclparse.NewParser().ParseHCL([]byte(text), "job.nomad.hcl"); diags.HasErrors() {
			t.Errorf("%v\n%s", diags, text)
		}
	case "systemd":
		section := ""
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			switch _, _, pair := strings.Cut(line, "="); {
			case line == "" || strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, "["):
				section = line
			case !pair || section == "":
				t.Errorf("not a line of a unit: %s", line)
			}
		}
	}
}

// A blank, a quote or a sign that some system replaces is still part of the file's name.
func TestAsJobQuotes(t *testing.T) {
	if got := condorArgs([]string{"a b", `c"d`, "e'f"}); got != `"'a b' c""d 'e''f'"` {
		t.Errorf("condor: %s", got)
	}
	if got := systemdWord(`/srv/100% "$HOME"`); got != `"/srv/100%% \"$$HOME\""` {
		t.Errorf("systemd: %s", got)
	}
}
