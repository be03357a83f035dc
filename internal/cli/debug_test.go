package cli

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/plan"
	"skep/internal/store"
)

func untar(t *testing.T, b []byte) map[string]string {
	t.Helper()
	all := map[string]string{}
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if all[h.Name] = string(body); h.Mode != 0o600 {
			t.Errorf("%s has mode %o", h.Name, h.Mode)
		}
	}
}

// What cannot be had is a file that says why; README lists each.
func TestPack(t *testing.T) {
	b, err := pack("web-debug", []debugFile{
		{"here", "is there", func() ([]byte, error) { return []byte("words\n\n"), nil }},
		{"gone", "is not", func() ([]byte, error) { return nil, errors.New("cannot be had") }},
	})
	if err != nil {
		t.Fatal(err)
	}
	files := untar(t, b)
	if files["web-debug/here"] != "words\n" || files["web-debug/gone.missing"] != "cannot be had\n" || len(files) != 3 {
		t.Errorf("%q", files)
	}
	if r := files["web-debug/README"]; !strings.Contains(r, "here ") || !strings.Contains(r, "gone ") {
		t.Errorf("README: %s", r)
	}
}

// Nothing that a guest, a cell file or a plan says gets out.
func TestDebugDisclosesNothing(t *testing.T) {
	const secret = "s3cret"
	dir := t.TempDir()
	st, err := store.Open(host.Dirs{State: filepath.Join(dir, "state"), Run: filepath.Join(dir, "run")})
	if err != nil {
		t.Fatal(err)
	}
	c := cell.Hello()
	c.Name = "web"
	s := store.State{Name: "web", State: store.Crashed, LastConsole: []string{secret}, LastWords: []string{secret}, Reason: "it crashed"}
	s.Cell = c
	s.Plan = &plan.Plan{Name: secret, Resources: []plan.Resource{{ID: "socket:control", Why: secret, Spec: &plan.Socket{Name: "control", Path: secret}}}}
	for _, err := range []error{st.MakeRunDir("web"), st.MakeStateDir("web"), st.WriteState(s), st.WriteDetail(s), st.WriteLast(s),
		os.WriteFile(filepath.Join(st.StateDir("web"), "console.log"), []byte(secret), 0o600),
		os.WriteFile(filepath.Join(st.StateDir("web"), "hypervisor.log"), []byte(secret), 0o600),
		os.WriteFile(st.JournalPath("web"), []byte(`{"step":"taking","resource":{"id":"slot","why":"`+secret+`"}}`+"\n"+`{"step":"taken","id":"slot"}`+"\n"+secret+"\n"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, "x.tar")
	skepIn(t, dir, "debug", "-o", out, "web").want(t, fault.OK)
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte(secret)) {
		t.Error("a secret is in the tar")
	}
	files := untar(t, b)
	if j := files["web-debug/journal"]; !strings.Contains(j, "taking slot\ntaken slot\n") || !strings.Contains(j, "cannot be read") {
		t.Errorf("journal: %s", j)
	}
	if r := files["web-debug/resources.txt"]; !strings.Contains(r, "socket:control") {
		t.Errorf("resources: %s", r)
	}
	var state struct {
		Reason    string `json:"reason"`
		HasKeeper bool   `json:"has_keeper"`
	}
	if err := json.Unmarshal([]byte(files["web-debug/state.json"]), &state); err != nil || state.Reason != "it crashed" || state.HasKeeper {
		t.Errorf("%v: %s", err, files["web-debug/state.json"])
	}
	var names []string
	for n := range files {
		names = append(names, strings.TrimPrefix(n, "web-debug/"))
	}
	for _, want := range []string{"README", "version.json", "host.json", "handles.txt", "stacks.txt.missing", "audit.json.missing"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s: %s", want, names)
		}
	}
	skepIn(t, dir, "debug", "--profile", "nothing", "web").want(t, fault.Input, `--profile must be one of`)
	skepIn(t, dir, "debug", "--profile", "heap", "web").want(t, fault.Host, "it has none")
	skepIn(t, dir, "debug", "nobody").want(t, fault.Input, "find a cell nobody")
}
