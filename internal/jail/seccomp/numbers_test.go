package seccomp

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The table of numbers agrees with golang.org/x/sys, for both architectures on any machine.
func TestNumbers(t *testing.T) {
	// A test that was built with -trimpath does not know where Go is, go list does.
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "golang.org/x/sys/unix").Output()
	if err != nil {
		t.Skip("needs go list, and the module that it looks for: ", err)
	}
	dir := strings.TrimSpace(string(out))
	for _, a := range []Arch{AMD64, ARM64} {
		source, err := os.ReadFile(filepath.Join(dir, "zsysnum_linux_"+a.Name+".go"))
		if err != nil {
			t.Skip(err)
		}
		want := map[string]uint32{}
		for _, m := range regexp.MustCompile(`SYS_(\w+)\s+= (\d+)`).FindAllStringSubmatch(string(source), -1) {
			n, err := strconv.ParseUint(m[2], 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			want[strings.ToLower(m[1])] = uint32(n)
		}
		if n, ok := want["fstatat"]; ok { // its name on arm64
			want["newfstatat"] = n
		}
		for _, call := range Calls() {
			got, ok := a.Number(call)
			if n, there := want[call]; ok != there || ok && got != n {
				t.Errorf("%s on %s: %d %v, x/sys says %d %v", call, a.Name, got, ok, n, there)
			}
		}
	}
}
