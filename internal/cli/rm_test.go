package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/fault"
)

// rm forgets what skep has kept of a cell; its file and its disks stay.
func TestRemoveCell(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir+"/etc/cells/web.hcl", "cell \"web\" {\n  disk \"root\" { file = \"web.img\" }\n}\n")
	disk := write(t, dir+"/etc/cells/web.img", "data")
	state := dir + "/state/cells/web/"
	kept := []string{"console.log", "hypervisor.log", "last.json", "uefi-vars.fd", ".last.json.1234"}
	for _, f := range kept {
		write(t, state+f, "{}")
	}
	s := skepIn(t, dir, "rm", "web").want(t, fault.OK, "web.hcl stays")
	for _, f := range kept {
		if exists(state + f) {
			t.Errorf("%s is still there\n%s", f, s.out)
		}
	}
	if exists(state) || !exists(file) || !exists(disk) {
		t.Errorf("state %v, file %v, disk %v", exists(state), exists(file), exists(disk))
	}
	// Once more is no error: there is still a file of the name.
	skepIn(t, dir, "rm", "web").want(t, fault.OK)
	skepIn(t, dir, "rm", "nobody").want(t, fault.Input, "find a cell nobody")
	skepIn(t, dir, "rm").want(t, fault.Input, "name one")
}

// What skep has not made is nobody's to remove.
func TestRemoveLeavesOthersFiles(t *testing.T) {
	dir := t.TempDir()
	mine := write(t, dir+"/state/cells/web/notes.txt", "mine")
	write(t, dir+"/state/cells/web/console.log", "")
	skepIn(t, dir, "rm", "web").want(t, fault.Host, "notes.txt stays")
	if b, err := os.ReadFile(mine); err != nil || string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
}

// Disks go only where --disks asks for them, and by name where it names them.
func TestRemoveWithDisks(t *testing.T) {
	dir := t.TempDir()
	cells := filepath.Join(dir, "etc/cells")
	write(t, cells+"/web.hcl", "cell \"web\" {\n  disk \"root\" { file = \"root.img\" }\n  disk \"data\" { file = \"data.img\" }\n}\n")
	root, data := write(t, cells+"/root.img", ""), write(t, cells+"/data.img", "")
	// The name is asked for, and an empty answer is none.
	skepIn(t, dir, "rm", "--disks", "web").want(t, fault.Input, "nothing is removed")
	skepIn(t, dir, "rm", "--disks=nosuch", "--yes", "web").want(t, fault.Input, `"nosuch"`)
	if !exists(root) || !exists(data) {
		t.Fatal("a disk is gone")
	}
	skepIn(t, dir, "rm", "--disks=data", "--yes", "web").want(t, fault.OK)
	if !exists(root) || exists(data) {
		t.Errorf("root %v, data %v", exists(root), exists(data))
	}
	skepIn(t, dir, "rm", "--disks", "--yes", "web").want(t, fault.OK)
	if exists(root) {
		t.Error("root is still there")
	}
}

// A cell under a name of --name has none of another's.
func TestRunName(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/etc/cells/web.hcl", "cell \"web\" {}\n")
	file := write(t, dir+"/other.hcl", "cell \"other\" {}\n")
	skepIn(t, dir, "run", "--name", "web", file).want(t, fault.Input, "use the name web")
	skepIn(t, dir, "run", "--name", "1x", file).want(t, fault.Input, "1x")
	write(t, dir+"/state/cells/other/uefi-vars.fd", "variables")
	skepIn(t, dir, "run", "--rm", file).want(t, fault.Input, "UEFI variables", "skep rm other")
}

// show names the file of a cell that never ran: that is where it is edited.
func TestShowNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir+"/etc/cells/web.hcl", "cell \"web\" {}\n")
	if s := skepIn(t, dir, "show", "web").want(t, fault.OK); !strings.Contains(s.out, file) {
		t.Error(s.out)
	}
}

// A cell that was started by path is found by its name.
func TestStartedByPath(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir+"/web.hcl", "cell \"web\" {\n  memory = \"77M\"\n}\n")
	write(t, dir+"/state/cells/web/last.json", `{"version":1,"name":"web","state":"stopped","since":"2026-01-01T00:00:00Z","file":"`+file+`"}`)
	for _, verb := range []string{"check", "explain", "show"} {
		skepIn(t, dir, verb, "web").want(t, fault.OK)
	}
	if s := skepIn(t, dir, "explain", "web").want(t, fault.OK); s.out == "" {
		t.Error("nothing is explained")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	skepIn(t, dir, "check", "web").want(t, fault.Input, file+", which it was started from, is not there")
}
