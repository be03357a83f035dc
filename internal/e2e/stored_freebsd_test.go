package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the built-in guest cannot write to its disks these tests write in its place: bhyve reads and writes
// plain files.

// TestCellKeptLayer: a layer is a copy of its base here. It is kept, grows, belongs to its base, and the base
// is neither written to nor handed in.
func TestCellKeptLayer(t *testing.T) {
	l := clean(t)
	base := l.baseImage("base.img", "of the base", 4<<20)
	sum := fingerprint(t, base)
	cell := func(disk string) { l.cell("kept", "disk \"root\" {\n"+disk+"\n}") }
	cell("base = \"" + base + "\"\nsize = \"5M\"")
	l.must(0, "up", "kept")
	l.audit(0, "kept")
	open, _ := exec.Command("procstat", "fd", strconv.Itoa(l.show("kept").PID)).Output()
	if !strings.Contains(string(open), "/disk/root") || strings.Contains(string(open), base) {
		t.Errorf("bhyve has open:\n%s", open)
	}
	l.must(0, "down", "kept")
	layer := l.path("state/cells/kept/layer-root.raw")
	read := func() (words string, size int) {
		b, err := os.ReadFile(layer)
		l.try(err)
		words, _, _ = strings.Cut(string(b[onSector:]), "\x00")
		return words, len(b)
	}
	if words, size := read(); words != "of the base" || size != 5<<20 {
		t.Errorf("the layer holds %q and has %d bytes", words, size)
	}
	f, err := os.OpenFile(layer, os.O_WRONLY, 0)
	l.try(err)
	_, err = f.WriteAt([]byte("of the guest"), onSector)
	l.try(errors.Join(err, f.Close()))
	cell("base = \"" + base + "\"\nsize = \"6M\"")
	l.must(0, "up", "kept")
	l.must(0, "down", "kept")
	if words, size := read(); words != "of the guest" || size != 6<<20 {
		t.Errorf("the layer holds %q and has %d bytes", words, size)
	}
	if fingerprint(t, base) != sum {
		t.Error("the base has changed")
	}
	cell("base = \"" + base + "\"\nsize = \"2M\"")
	if r := l.must(2, "up", "kept"); !strings.Contains(r.err, "its size is to be 2M, and it has 4M already") {
		t.Error(r)
	}
	cell("base = \"" + l.baseImage("other.img", "another", 4<<20+4096) + "\"")
	if r := l.must(2, "up", "kept"); !strings.Contains(r.err, "it is a layer of "+base) {
		t.Error(r)
	}
	cell("base = \"" + base + "\"")
	was, err := os.Stat(base)
	l.try(err)
	l.try(os.Chtimes(base, time.Now(), time.Now()))
	if r := l.must(2, "up", "kept"); !strings.Contains(r.err, "has been written since the layer was made") {
		t.Error(r)
	}
	l.try(os.Chtimes(base, was.ModTime(), was.ModTime()))
	if r := l.must(0, "rm", "kept"); !strings.Contains(r.err, "layer-root.raw stays") {
		t.Error(r)
	}
	l.must(0, "disk", "rm", "--yes", "kept", "root")
	if file(layer) {
		t.Error("the layer is left")
	}
}

// TestCellDisposable: a disposable layer is made anew at each start, of an image in the store too, and is gone
// at the end of its cell, whatever the end was.
func TestCellDisposable(t *testing.T) {
	l := clean(t)
	base := l.baseImage("base.img", "of the base", 4<<20)
	sum := fingerprint(t, base)
	l.must(0, "image", "import", "golden", base)
	l.cell("file", "disk \"root\" {\n base = \""+base+"\"\n disposable = true\n}")
	l.cell("image", "disk \"root\" {\n image = \"golden\"\n disposable = true\n}")
	for _, name := range []string{"file", "image"} {
		layer := l.path("state/cells/" + name + "/disposable-root.raw")
		l.must(0, "up", name)
		if b, err := os.ReadFile(layer); err != nil || len(b) != 4<<20 || !bytes.HasPrefix(b[onSector:], []byte("of the base")) {
			t.Errorf("%s: the layer has %d bytes, %v", name, len(b), err)
		}
		l.audit(0, name)
		l.must(0, "down", name)
		if file(layer) {
			t.Errorf("%s: the layer outlives its cell", name)
		}
		l.must(0, "up", name)
		s := l.show(name)
		for _, pid := range []int{s.KeeperPID, s.PID} {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		eventually(t, slow, "the keeper's end", func() bool { return syscall.Kill(s.KeeperPID, 0) != nil })
		l.must(0, "sweep")
		if file(layer) {
			t.Errorf("%s: the layer outlives a cell whose keeper was killed", name)
		}
	}
	// Who would write to the base is kept off it as long as anybody reads it.
	l.must(0, "up", "file")
	l.cell("writer", "disk \"root\" { file = \""+base+"\" }")
	if r := l.must(2, "up", "writer"); !strings.Contains(r.err, "in use by") {
		t.Error(r)
	}
	l.must(0, "down", "file")
	if fingerprint(t, base) != sum {
		t.Error("the base has changed")
	}
}

// TestCellSnapshots: the disks of a cell that does not run go back together; one that runs is refused; a cell
// whose revert was cut off does not start before that is finished.
func TestCellSnapshots(t *testing.T) {
	l := clean(t)
	base := l.baseImage("base.img", "of the base", 1<<20)
	raw, layer := l.path("data.img"), l.path("state/cells/s/layer-root.raw")
	l.cell("s", "disk \"root\" { base = \""+base+"\" }\ndisk \"data\" {\n file = \""+raw+"\"\n size = \"1M\"\n}")
	l.must(0, "up", "s")
	if r := l.must(1, "snapshot", "s", "t"); !strings.Contains(r.err, "snapshot a guest that runs") {
		t.Error(r)
	}
	l.must(0, "down", "s")
	write := func(text string) {
		for _, path := range []string{raw, layer} {
			l.try(os.WriteFile(path, []byte(strings.Repeat(text, 1<<20)), 0o600))
		}
	}
	write("a")
	l.must(0, "snapshot", "s", "a")
	write("b")
	l.must(2, "snapshot", "s", "a")
	l.must(2, "snapshot", "s", "../x")
	l.must(0, "revert", "s", "a")
	for _, path := range []string{raw, layer} {
		if b, err := os.ReadFile(path); err != nil || len(b) != 1<<20 || strings.Trim(string(b), "a") != "" {
			t.Errorf("%s did not go back: %d bytes, %v", path, len(b), err)
		}
	}
	path := l.path("state/cells/s/snapshots.json")
	var all map[string]any
	l.try(json.Unmarshal([]byte(read(t, path)), &all))
	all["reverting"] = "a"
	text, _ := json.Marshal(all)
	l.try(os.WriteFile(path, text, 0o600))
	if r := l.must(2, "up", "s"); !strings.Contains(r.err, "going back to a was cut off") {
		t.Error(r)
	}
	l.must(0, "revert", "s", "a")
	l.must(0, "up", "s")
	l.audit(0, "s")
	l.must(2, "revert", "s", "a") // it runs
	l.must(0, "down", "s")
	l.must(0, "snapshot", "rm", "s", "a")
	if left, _ := filepath.Glob(l.path("state/cells/s/*@*")); len(left) > 0 {
		t.Errorf("left of a snapshot: %v", left)
	}
}

// TestCellResults: of a results disk full of paths that lead out and of devices, plain files below the
// directory come out and nothing else; while the cell runs too, for which it is paused.
func TestCellResults(t *testing.T) {
	l := clean(t)
	l.cell("lab", "results \"tar\" { size = \"64M\" }\nresults \"fat\" {\n size = \"64M\"\n format = \"fat\"\n}")
	l.must(0, "up", "lab")
	f, err := os.OpenFile(l.path("state/cells/lab/tar.results"), os.O_WRONLY, 0)
	l.try(err)
	_, err = f.WriteAt(hostileTar(t), 0)
	l.try(errors.Join(err, f.Close()))
	for n, when := range []string{"while it runs", "afterwards"} {
		dir := l.path("out" + strconv.Itoa(n))
		r := l.must(0, "results", "--disk", "tar", "lab", dir)
		if got := below(t, dir); !slices.Equal(got, []string{"dir/through", "report.txt"}) {
			t.Errorf("%s %q came out\n%s", when, got, r.err)
		}
		if strings.Contains(r.err, "was paused for") != (n == 0) || !strings.Contains(r.err, "left out: sda: it is a device") {
			t.Errorf("%s: %s", when, r)
		}
		if n == 0 {
			l.audit(0, "lab")
			v := l.console("lab")
			v.send("zap")
			v.expect(slow, "zap") // the guest goes on
			l.must(0, "down", "lab")
		}
	}
	l.must(0, "results", "--disk", "fat", "lab", l.path("fat"))
	if got := below(t, l.path("fat")); len(got) != 0 {
		t.Errorf("an empty file system holds %q", got)
	}
	if _, err := os.Lstat("/tmp/skep-escaped"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file came out beside the directory: %v", err)
	}
	l.must(0, "disk", "rm", "--yes", "lab")
}

// TestCellIdentity: the guest's memory has what its file says of the machine, and what bhyve cannot do is
// refused and not left out.
func TestCellIdentity(t *testing.T) {
	l := clean(t)
	const uuid = "5ed0a5f2-0d5c-4c1b-9b5e-2f6d6c1d7a10"
	l.cell("posing", `identity {
  manufacturer = "Example Inc."
  product      = "Desktop 5"
  serial       = "EX-1"
  uuid         = "`+uuid+`"
  disk_serial  = "D-7"
}
disk "one" {
  file = "`+l.path("one.img")+`"
  size = "1M"
}`)
	l.must(0, "up", "posing")
	l.audit(0, "posing")
	// The tables lie where a BIOS would, below 1 MiB.
	memory, err := os.Open("/dev/vmm/posing")
	l.try(err)
	defer memory.Close()
	tables := make([]byte, 64<<10)
	if _, err := memory.ReadAt(tables, 0xf0000); err != nil {
		t.Fatalf("the guest's memory: %v", err)
	}
	if !bytes.Contains(tables, []byte("_SM_")) {
		t.Error("there is no SMBIOS table")
	}
	for _, word := range []string{"Example Inc.\x00", "Desktop 5\x00", "EX-1\x00", "\xf2\xa5\xd0\x5e\x5c\x0d\x1b\x4c\x9b\x5e\x2f\x6d\x6c\x1d\x7a\x10"} {
		if !bytes.Contains(tables, []byte(word)) {
			t.Errorf("the tables do not hold %q", word)
		}
	}
	if bytes.Contains(tables, []byte("\x00BHYVE\x00")) {
		t.Error("the tables name bhyve")
	}
	told := false // in the plan: ps(1) shows the title that bhyve gives itself
	for _, r := range l.show("posing").Plan.Resources {
		told = told || strings.Contains(string(r.Spec), "ser=D-7")
	}
	if !told {
		t.Error("bhyve is not told the disk's serial number")
	}
	l.must(0, "down", "posing")
	l.cell("late", `clock { start = "2031-01-02T05:04:05+02:00" }`)
	if r := l.must(2, "up", "late"); !strings.Contains(r.err, "cannot set the guest's clock") {
		t.Error(r)
	}
	l.cell("named", `identity { cpu_name = "Example CPU 3000" }`)
	if r := l.must(2, "up", "named"); !strings.Contains(r.err, "cannot name the guest's processor") {
		t.Error(r)
	}
}

// TestCellZFSClone: a clone of a volume's snapshot is a disk like any other, is never tasted, and stays a
// clone; skep's own copies do not pretend to be one.
func TestCellZFSClone(t *testing.T) {
	l := clean(t)
	dataset := l.pool()
	origin, clone := dataset+"/golden", dataset+"/guest"
	must(t, "zfs", "create", "-V", "16M", "-o", "volmode=none", origin)
	must(t, "zfs", "set", "volmode=dev", origin)
	l.node(origin)
	words := bytes.Repeat([]byte("golden  "), 64)
	l.try(os.WriteFile("/dev/zvol/"+origin, words, 0))
	must(t, "zfs", "snapshot", origin+"@made")
	must(t, "zfs", "clone", "-o", "volmode=dev", origin+"@made", clone)
	l.node(clone)
	l.cell("guest", "disk \"root\" { zvol = \""+clone+"\" }")
	l.must(0, "up", "guest")
	l.audit(0, "guest")
	l.must(0, "down", "guest")
	if got := strings.TrimSpace(must(t, "zfs", "get", "-H", "-o", "value", "origin", clone)); got != origin+"@made" {
		t.Errorf("its origin is %s", got)
	}
	f, err := os.Open("/dev/zvol/" + clone)
	l.try(err)
	got := make([]byte, len(words))
	_, err = f.Read(got)
	f.Close()
	if err != nil || !bytes.Equal(got, words) {
		t.Errorf("the clone holds %q, %v", got, err)
	}
	if r := l.must(2, "clone", "guest", "other"); !strings.Contains(r.err, "zfs clone") {
		t.Error(r)
	}
	if r := l.must(2, "snapshot", "guest", "t"); !strings.Contains(r.err, "zfs snapshot") {
		t.Error(r)
	}
	// What hangs on a volume keeps it.
	l.cell("golden", "disk \"root\" { zvol = \""+origin+"\" }")
	if r := l.skep("disk", "rm", "--yes", "golden", "root"); r.code == 0 {
		t.Errorf("a volume with a clone was removed: %s", r)
	}
	must(t, "zfs", "list", origin)
}

// node waits for the device node of a volume. The kernel loses one now and then; then the hint of skep up brings
// it back.
func (l *lab) node(dataset string) {
	l.t.Helper()
	at := time.Now()
	until(l.t.(*testing.T), "the node of "+dataset, func() bool {
		if !file("/dev/zvol/"+dataset) && time.Since(at) > 5*time.Second {
			must(l.t, "zfs", "set", "volmode=none", dataset)
			must(l.t, "zfs", "set", "volmode=dev", dataset)
			at = time.Now()
		}
		return file("/dev/zvol/" + dataset)
	})
}

// pool is a dataset of the test's own, in a pool of the host's or in one that lies in a file.
func (l *lab) pool() string {
	t := l.t
	if out, err := exec.Command("zpool", "list", "-H", "-o", "name").Output(); err == nil {
		if pools := strings.Fields(string(out)); len(pools) > 0 {
			dataset := pools[0] + "/skep-test-" + strconv.Itoa(os.Getpid())
			must(t, "zfs", "create", dataset)
			t.Cleanup(func() { must(t, "zfs", "destroy", "-R", dataset) })
			return dataset
		}
	}
	if exec.Command("kldstat", "-q", "-m", "zfsctrl").Run() != nil {
		t.Skip("zfs.ko is not loaded")
	}
	name := "skeptest" + strconv.Itoa(os.Getpid())
	image := l.path("pool.img")
	l.try(os.WriteFile(image, nil, 0o600))
	l.try(os.Truncate(image, 256<<20))
	if out, code := host(t, nil, "zpool", "create", "-m", "none", "-O", "compression=off", name, image); code != 0 {
		t.Skipf("no pool can be made: %s", out)
	}
	t.Cleanup(func() { must(t, "zpool", "destroy", "-f", name) })
	return name
}
