package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"skep/guest/hello"
)

const unit = "../../systemd/skep.service"

// directive is what a line of the unit says.
func directive(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(string(b))
	if m == nil {
		t.Fatalf("%s has no %s=", unit, name)
	}
	return m[1]
}

// The service is as closed as one can be that makes jails: what it loses in the
// score is what a keeper needs, each looked for by the test below.
func TestServiceScore(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("needs systemd-analyze")
	}
	out, err := exec.Command(tool, "security", "--offline=true", "--no-pager", unit).CombinedOutput()
	m := regexp.MustCompile(`Overall exposure level for skep.service: ([0-9.]+)`).FindSubmatch(out)
	if m == nil {
		t.Skipf("this systemd-analyze looks at no file: %v\n%s", err, out)
	}
	score, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("exposure %.1f", score)
	const goal = 4.9 // "OK" in its words; a service without a line of hardening has 9.6
	if score > goal {
		t.Errorf("the exposure is %.1f, more than %.1f\n%s", score, goal, out)
	}
}

// What the unit leaves to the service is enough for cells with a disk, a
// bridge, a tap and a screen to start, to be taken up again and to be stopped;
// and each capability is needed, so that none stays that is not.
func TestServiceCapabilities(t *testing.T) {
	needCells(t)
	needTap(t)
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("needs setpriv")
	}
	l := newLab(t)
	bridge := "skv" + strconv.Itoa(os.Getpid()%100000)
	l.cell("x", "accel = \"tcg\"\nstart = \"boot\"\nscreen {\n}\ndisk \"d\" {\n  file = \"d.img\"\n  size = \"1M\"\n}\n"+
		"bridge \""+bridge+"\" {\n  create = true\n}\nnic \"n\" {\n  bridge = \""+bridge+"\"\n}")
	caps := strings.Fields(strings.ToLower(strings.ReplaceAll(directive(t, "CapabilityBoundingSet"), "CAP_", "")))
	within := func(caps []string, args ...string) result {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		only := "-all"
		for _, c := range caps {
			only += ",+" + c
		}
		cmd := l.command(ctx, args...)
		cmd.Path, cmd.Args = setpriv, append([]string{setpriv, "--no-new-privs", "--bounding-set", only, cmd.Path}, cmd.Args[1:]...)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := cmd.Run()
		return result{code(t, err), out.String(), errs.String()}
	}
	start, stop := verb(t, "ExecStart"), verb(t, "ExecStop")
	if r := within(caps, start...); r.code != 0 {
		t.Fatalf("%v: %s", start, r)
	}
	before := l.show("x")
	l.audit(0, "x")
	if err := exec.Command("kill", "-KILL", strconv.Itoa(before.KeeperPID)).Run(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "the keeper is gone", func() bool {
		s := statusOf(before.KeeperPID)["State"]
		return s == "" || strings.HasPrefix(s, "Z")
	})
	if r := within(caps, "up", "x"); r.code != 0 || l.show("x").PID != before.PID {
		t.Fatalf("taking it up again: %s", r)
	}
	if r := within(caps, stop...); r.code != 0 {
		t.Fatalf("%v: %s", stop, r)
	}
	// KVM, where it works here, works within the service, too.
	l.cell("k", "")
	l.must(0, "up", "k")
	accel := l.show("k").Accel
	l.must(0, "kill", "k")
	if err := os.RemoveAll(l.path("state/cache")); err != nil { // the trial, too
		t.Fatal(err)
	}
	if r := within(caps, "up", "k"); r.code != 0 || l.show("k").Accel != accel {
		t.Errorf("with %s outside, in the service it has %s: %s", accel, l.show("k").Accel, r)
	}
	l.must(0, "kill", "k")
	l.nothingLeft()
	for _, needed := range []string{"sys_admin", "setuid", "setgid", "net_admin"} {
		var less []string
		for _, c := range caps {
			if c != needed {
				less = append(less, c)
			}
		}
		if len(less) != len(caps)-1 {
			t.Errorf("the unit does not leave %s", needed)
		}
		if r := within(less, "up", "x"); r.code == 0 {
			t.Errorf("without %s it starts as well: the unit leaves too much", needed)
			l.must(0, "kill", "x")
		}
		l.nothingLeft()
	}
}

// verb is what the unit calls skep with.
func verb(t *testing.T, name string) []string {
	t.Helper()
	f := strings.Fields(strings.TrimPrefix(directive(t, name), "-"))
	if f[0] != "/usr/local/bin/skep" {
		t.Fatalf("%s= starts %s", name, f[0])
	}
	return f[1:]
}

// Shutting down presses every guest's power button at once, waits for the
// slowest stop_timeout and then forces.
func TestStopIsAtOnce(t *testing.T) {
	needCells(t)
	l := newLabOf(t, 16)
	for i := range 12 { // more than are started at once
		l.cell("unresponsive"+strconv.Itoa(i), "accel = \"tcg\"\nmemory = \"16M\"\nstop_timeout = \"3s\"\nstart = \"boot\"")
	}
	l.must(0, "up", "--boot")
	for i := range 12 { // a guest that hangs hears no button
		c := l.live("console", "unresponsive"+strconv.Itoa(i))
		c.expect(20*time.Second, hello.Commands)
		c.send("h")
	}
	begin := time.Now()
	l.must(0, "down", "--all")
	if took := time.Since(begin); took < 2500*time.Millisecond || took > 12*time.Second {
		t.Errorf("twelve unresponsive guests with a stop_timeout of 3 s took %s", took)
	}
	if s := l.show("unresponsive11"); !strings.Contains(s.Reason, "did not power off within 3s") {
		t.Errorf("%s: %s", s.State, s.Reason)
	}
	l.nothingLeft()
}

// make install has the unit name the program where it is put.
func TestServiceIsInstalled(t *testing.T) {
	to := t.TempDir()
	cmd := exec.Command("sh", "../../scripts/install")
	cmd.Env = append(os.Environ(), "BIN="+skep, "PREFIX=/opt/skep", "DESTDIR="+to, "OS=Linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path := filepath.Join(to, "opt/skep/lib/systemd/system/skep.service")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "/opt/skep/bin/skep "); n != 2 || strings.Contains(string(b), "/usr/local") {
		t.Errorf("%d lines of the unit name the installed program\n%s", n, b)
	}
	cmd = exec.Command("sh", "../../scripts/install", "-u")
	cmd.Env = append(os.Environ(), "BIN="+skep, "PREFIX=/opt/skep", "DESTDIR="+to, "OS=Linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("make uninstall leaves the unit")
	}
}
