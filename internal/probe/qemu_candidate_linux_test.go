package probe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skep/internal/cell"
	"skep/internal/host"
)

// program writes a script and returns its path.
func program(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "qemu-system-x86_64")
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

// Every reason for which a QEMU cannot be used is kept, and leads to its own fix.
func TestQEMUReasons(t *testing.T) {
	missing := program(t, "echo \"$0: error while loading shared libraries: libcapstone.so.4: file too short\" >&2; exit 127")
	for _, tt := range []struct {
		name, path string
		fault      host.QEMUFault
		why, fix   string
	}{
		{"absent", "/nowhere/qemu", host.QEMUAbsent, "there is no /nowhere/qemu", "unset it"},
		{"directory", "/etc", host.QEMUNoExec, "/etc is not a program", "unset it"},
		{"alien", "/bin/true", host.QEMUAlien, "/bin/true --version does not answer like QEMU", "unset it"},
		{"not ELF", "/etc/passwd", host.QEMUNoExec, "/etc/passwd is not a program", "unset it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := probeOK(t, at(t, map[string]string{host.EnvQEMU: tt.path}))
			if f.Linux.QEMU != nil || len(f.Linux.QEMUTried) != 1 || f.Linux.QEMUTried[0].Fault != tt.fault {
				t.Fatalf("%+v", f.Linux.QEMUTried)
			}
			if err := host.Ready(cell.Hello(), f); err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v", err)
			}
			if fix := f.FixQEMU(); !strings.Contains(fix, tt.fix) {
				t.Errorf("the fix is %q", fix)
			}
		})
	}
	said := ask(t.Context(), askFor, missing, "--version").why(missing, "--version")
	if said.Fault != host.QEMUBroken || said.Library != "libcapstone.so.4" || !strings.Contains(said.Why, "file too short") {
		t.Errorf("%+v", said)
	}
	killed := program(t, "kill -SEGV $$")
	if said := ask(t.Context(), askFor, killed, "--version").why(killed, "--version"); said.Fault != host.QEMUBroken || !strings.Contains(said.Why, "segmentation fault") {
		t.Errorf("%+v", said)
	}
}

// One that does not answer in time is called neither absent nor broken, and is
// worth asking again.
func TestQEMUThatIsLate(t *testing.T) {
	dir := t.TempDir()
	sleeper := filepath.Join(dir, "qemu")
	if err := os.WriteFile(sleeper+".go", []byte("package main\nimport \"time\"\nfunc main() { time.Sleep(time.Minute) }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("go", "build", "-o", sleeper, sleeper+".go").CombinedOutput(); err != nil {
		t.Skipf("no Go to build a program with: %v: %s", err, out)
	}
	o := at(t, map[string]string{host.EnvQEMU: sleeper})
	o.AskFor = 200 * time.Millisecond
	f := probeOK(t, o)
	if l := f.Linux; !l.QEMULate() || !strings.Contains(l.QEMUReason(), "did not answer within 200ms") {
		t.Errorf("%+v", l.QEMUTried)
	}
	if fix := f.FixQEMU(); !strings.Contains(fix, "this host is busy") {
		t.Errorf("the fix is %q", fix)
	}
	if askFor < 2*time.Minute {
		t.Errorf("%s: an emulated host that has just been booted needs longer", askFor)
	}
}

// What is said of a QEMU follows from the reason, not from the last candidate.
func TestQEMUFix(t *testing.T) {
	absent := host.QEMUTried{Path: "/usr/local/bin/q", Fault: host.QEMUAbsent, Why: "there is no /usr/local/bin/q"}
	for _, tt := range []struct {
		name     string
		tried    []host.QEMUTried
		why, fix string
	}{
		{"none", []host.QEMUTried{absent}, "there is no /usr/local/bin/q", "apt install qemu-system-x86"},
		{"broken, then absent", []host.QEMUTried{{Path: "/usr/bin/q", Fault: host.QEMUBroken, Why: "/usr/bin/q needs libz.so.1: library not found", Library: "libz.so.1", Package: "zlib1g"}, absent},
			"/usr/bin/q needs libz.so.1: library not found", "apt install --reinstall zlib1g"},
		{"broken, of no package", []host.QEMUTried{{Fault: host.QEMUBroken, Why: "broken", Library: "/opt/lib/libz.so.1"}}, "broken", "reinstall the package that /opt/lib/libz.so.1 comes from"},
		{"silent", []host.QEMUTried{{Path: "/usr/bin/q", Fault: host.QEMUSilent, Why: "/usr/bin/q --version did not answer within 3m0s"}, absent}, "did not answer", "run /usr/bin/q --version"},
		{"old", []host.QEMUTried{{Path: "/usr/bin/q", Fault: host.QEMUOld, Why: "/usr/bin/q is QEMU 5.2.0, and 6.0 is the least that can be used"}, absent}, "5.2.0", "install QEMU 6.0 or later"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := reference(t)
			f.Linux.QEMU, f.Linux.QEMUTried = nil, tt.tried
			err := host.Ready(cell.Hello(), f)
			if err == nil || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("%v", err)
			}
			if fix := f.FixQEMU(); !strings.Contains(fix, tt.fix) {
				t.Errorf("the fix is %q", fix)
			}
			rows := host.Doctor(f)
			if host.Worst(rows) != host.Fail {
				t.Error("the doctor finds nothing wrong")
			}
		})
	}
	for v, old := range map[string]bool{"5.2.0": true, "4.2": true, "6.0.0": false, "7.2.22": false, "11.1.3": false, "": false, "x.y": false} {
		if host.TooOld(v) != old {
			t.Errorf("%q: old is %v", v, !old)
		}
	}
}

// A QEMU that lacks a library names it and the package that brings it back.
func TestBrokenLibrary(t *testing.T) {
	f := probeOK(t, at(t, nil))
	if f.Linux.QEMU == nil {
		t.Skip("no QEMU: ", f.Linux.QEMUWhy)
	}
	// A copy of it that asks for a library by a name that nobody has.
	b, err := os.ReadFile(f.Linux.QEMU.Path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(b), "\x00libpixman-1.so.0\x00")
	if at < 0 {
		t.Skip("this QEMU needs no libpixman")
	}
	copy(b[at+1:], "libpixnam-1.so.0")
	path := filepath.Join(t.TempDir(), "qemu")
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	_, _, tried := examine(t.Context(), askFor, cache{}, path)
	if tried == nil || tried.Fault != host.QEMUBroken || tried.Library != "libpixnam-1.so.0" {
		t.Fatalf("%+v", tried)
	}
	if _, err := os.Stat("/var/lib/dpkg/info/libpixman-1-0:amd64.list"); err != nil {
		t.Skip("Debian's records are not here")
	}
	if p := packageOf("libpixman-1.so.0"); p != "libpixman-1-0" {
		t.Errorf("libpixman comes from %q", p)
	}
}

func reference(t *testing.T) host.Facts {
	t.Helper()
	f, err := host.Reference("linux")
	if err != nil {
		t.Fatal(err)
	}
	return f
}
