package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// envLab names the directory in which examples/lab/build.sh has made its guest.
const envLab = "SKEP_TEST_LAB"

// The walk of docs/lab.md: the specimen runs, and what it did is in the evidence.
func TestLab(t *testing.T) {
	text, err := os.ReadFile("../../examples/lab/lab.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"build.sh", "specimen"} {
		if out, err := exec.Command("sh", "-n", "../../examples/lab/"+script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
	needCells(t)
	l := newLab(t)
	l.write("config/cells/lab.hcl", string(text))
	l.must(0, "check", "lab")
	dir := os.Getenv(envLab)
	if _, err := os.Stat(filepath.Join(dir, "root.img")); dir == "" || err != nil {
		t.Skip("needs what examples/lab/build.sh makes, in " + envLab)
	}
	body := strings.ReplaceAll(string(text), "/var/lib/vm/lab", dir)
	l.write("config/cells/lab.hcl", strings.Replace(body, "{\n", "{\n  accel = \"tcg\"\n", 1))
	r := l.must(0, "run", "lab@1", "--time-limit", "300s")
	for _, said := range []string{"specimen: beacon 3 was answered", "specimen: dropped /root/.cache/implant"} {
		if !strings.Contains(r.out, said) {
			t.Errorf("the specimen: no %q: %s", said, r)
		}
	}
	tar := l.path("lab.tar")
	l.must(0, "evidence", "lab@1", "-o", tar)
	l.must(0, "evidence", "verify", tar)
	if out, err := exec.Command("tar", "-xOf", tar, "network/network.jsonl").Output(); !strings.Contains(string(out), "c2.beacon.example") {
		t.Errorf("its beacon is not in the evidence: %v: %s", err, out)
	}
	out, err := exec.Command("tar", "-xOf", tar, "diff/root.json").Output()
	var d struct{ Files []struct{ What, Path string } }
	if err == nil {
		err = json.Unmarshal(out, &d)
	}
	found := map[string]string{}
	for _, f := range d.Files {
		found[f.Path] = f.What
	}
	if err != nil || found["/root/.cache/implant"] != "new" || found["/etc/hostname"] != "changed" || len(found) > 10 {
		t.Errorf("what it left: %v, %v", found, err)
	}
	l.nothingLeft()
}
