package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"skep/internal/fault"
)

// Completion offers the cells that a verb can act on, and no others.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"idle", "busy", "web10", "web2"} {
		write(t, dir+"/etc/cells/"+n+".hcl", "cell \""+n+"\" {}\n")
	}
	write(t, dir+"/etc/cells/wrong.hcl", "cell \"wrong\" { cpus = \"two\" }\n")
	write(t, dir+"/state/cells/idle/console.log", "")
	write(t, dir+"/run/cells/busy/journal", "")
	lock, err := os.Open(write(t, dir+"/run/locks/busy", strconv.Itoa(os.Getpid())+"\n")) // a keeper's
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/run/cells/dead/journal", "") // its keeper has died
	for args, want := range map[string]string{
		"up ":            "hello idle web2 web10",
		"run ":           "hello idle web2 web10",
		"start ":         "hello idle web2 web10",
		"down ":          "busy dead",
		"stop ":          "busy dead",
		"kill ":          "busy dead",
		"console ":       "busy dead",
		"down busy ":     "dead",
		"rm ":            "idle",
		"log ":           "idle",
		"sweep ":         "dead",
		"show w":         "web2 web10 wrong",
		"up w":           "web2 web10", // what it would refuse is not offered
		"check w":        "web2 web10 wrong",
		"edit wr":        "wrong",
		"disk rm ":       "hello idle web2 web10 wrong",
		"plan ":          "busy hello idle web2 web10",
		"restart ":       "busy dead hello idle web2 web10 wrong",
		"show ./nothing": "hcl",
	} {
		s := skepIn(t, dir, append([]string{"__complete"}, strings.Split(args, " ")...)...)
		got := strings.Join(strings.Fields(s.out), " ")
		if i := strings.LastIndex(got, ":"); i >= 0 {
			got = strings.TrimSpace(got[:i])
		}
		if got != want {
			t.Errorf("skep %s: %q, want %q", args, got, want)
		}
	}
}

// The script works in a bash that has loaded nothing.
func TestBashCompletionAlone(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "skep.bash")
	write(t, script, skep(t, "completion", "bash").want(t, fault.OK).out)
	// What the script asks: a skep that knows two cells and says what it was asked.
	write(t, dir+"/skep", "#!/bin/sh\necho \"$@\" >> "+dir+"/asked\necho busy\necho web2\necho :4\n")
	if err := os.Chmod(dir+"/skep", 0o755); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string][2]string{
		"skep down ":           {"busy web2", "__complete down "},
		"skep down w":          {"web2", "__complete down w"},
		"skep rm --disks=a we": {"web2", "__complete rm --disks=a we"},
	} {
		words := strings.Split(line, " ")
		split := []string{} // as readline does, at = too
		for _, w := range words {
			if a, b, ok := strings.Cut(w, "="); ok {
				split = append(split, a, "=", b)
				continue
			}
			split = append(split, w)
		}
		os.Remove(dir + "/asked")
		program := `source "$1"; COMP_LINE=$2 COMP_POINT=${#2} COMP_TYPE=9; shift 2; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); __start_skep skep; echo "${COMPREPLY[@]}"`
		cmd := exec.Command(bash, append([]string{"--norc", "--noprofile", "-c", program, "bash", script, line}, split...)...)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
		asked, _ := os.ReadFile(dir + "/asked")
		if got := strings.Join(strings.Fields(string(out)), " "); got != want[0] || strings.TrimRight(string(asked), "\n") != want[1] {
			t.Errorf("%q: %q, asked %q; want %q", line, got, asked, want)
		}
	}
}
