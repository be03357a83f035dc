package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Each script begins with the promise that it guards. Besides testscript's own
// commands they have
//
//	skep [N] ARG…   run skep and want exit status N (0 where none is given)
//	shape FILE      write the paths and types of a JSON file to FILE.shape
//	left            want nothing left behind
//
// and the conditions [cells], [kvm] and [uefi] for what this host can run.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			l := &lab{t: e.T().(testing.TB), dir: e.WorkDir, uidBase: labBase(labUIDs), uids: labUIDs}
			l.env = labEnv(l.dir, l.uidBase, labUIDs)
			e.Vars = append(e.Vars, l.env...)
			e.Vars = append(e.Vars, "PATH="+filepath.Dir(skep)+string(filepath.ListSeparator)+os.Getenv("PATH"), "UIDBASE="+strconv.Itoa(l.uidBase))
			e.Values[labKey] = l
			e.Defer(l.close)
			return nil
		},
		Condition: func(c string) (bool, error) {
			switch c {
			case "cells", "kvm", "uefi":
				return hostHas(c), nil
			}
			return false, fmt.Errorf("unknown condition %q", c)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"skep":  scriptSkep,
			"shape": scriptShape,
			"left":  func(ts *testscript.TestScript, _ bool, _ []string) { ts.Value(labKey).(*lab).nothingLeft() },
		},
		RequireUniqueNames: true,
		ContinueOnError:    true,
		UpdateScripts:      *update,
	})
}

type key struct{}

var labKey key

func scriptSkep(ts *testscript.TestScript, neg bool, args []string) {
	want := 0
	if len(args) > 0 {
		if n, err := strconv.Atoi(args[0]); err == nil {
			want, args = n, args[1:]
		}
	}
	if neg {
		ts.Fatalf("say which exit status: skep 2 …")
	}
	got := code(ts.Value(labKey).(*lab).t, ts.Exec(skep, args...))
	if got != want {
		ts.Fatalf("skep %v: exit %d, want %d", args, got, want)
	}
}

// scriptShape turns JSON into its schema as text: one line a value, with its
// type. A list is described by all of its elements together.
func scriptShape(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: shape FILE")
	}
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &v); err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
	lines := slices.Compact(slices.Sorted(slices.Values(shape("", v))))
	out := ""
	for _, l := range lines {
		out += l + "\n"
	}
	name := ts.MkAbs(args[0])
	if args[0] == "stdout" {
		name = ts.MkAbs("stdout")
	}
	ts.Check(os.WriteFile(name+".shape", []byte(out), 0o644))
}

func shape(path string, v any) (lines []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			lines = append(lines, shape(path+"."+k, e)...)
		}
	case []any:
		if len(v) == 0 {
			return []string{path + "[]"}
		}
		for _, e := range v {
			lines = append(lines, shape(path+"[]", e)...)
		}
	case string:
		return []string{path + " string"}
	case float64:
		return []string{path + " number"}
	case bool:
		return []string{path + " bool"}
	case nil:
		return []string{path + " null"}
	}
	return lines
}
