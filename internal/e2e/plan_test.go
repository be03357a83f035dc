package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the plans of examples/ as they are now")

// The plans of the examples, for both systems, are the same text on every
// machine: under another user's directories, with other uids, in another
// locale. Where a system cannot have such a cell, the error is what is the
// same.
func TestExamplesPlanTheSameEverywhere(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "examples/*.hcl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	plan := func(env []string, args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, skep, append([]string{"plan"}, args...)...)
		cmd.Dir, cmd.Env = root, env
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		r := finished(t, ctx, cmd, &out, &errs)
		return fmt.Sprintf("%s%sexit %d\n", r.out, r.err, r.code)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".hcl")
		for _, system := range []string{"linux", "freebsd"} {
			t.Run(name+"/"+system, func(t *testing.T) {
				got := plan(os.Environ(), "--os", system, "examples/"+name+".hcl")
				other := plan([]string{"SKEP_STATE_DIR=/a", "SKEP_RUN_DIR=/b", "SKEP_CONFIG_DIR=/c", "SKEP_UID_BASE=70000",
					"SKEP_UID_COUNT=2", "SKEP_QEMU=/nowhere", "LC_ALL=de_DE.UTF-8"}, "--os", system, "examples/"+name+".hcl")
				if d := cmp.Diff(got, other); d != "" {
					t.Errorf("it depends on the environment:\n%s", d)
				}
				golden := filepath.Join("testdata/plan", name+"."+system)
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(string(want), got); d != "" {
					t.Errorf("(go test ./internal/e2e -run Examples -update writes it anew)\n%s", d)
				}
			})
		}
	}
}
