package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// How long a release may take, emulated, from its kernel's first line until it has powered off, and
// how large its disk is.
const (
	bootTime = 25 * time.Minute
	diskSize = 3 << 30
)

// runKernel boots a release with its own kernel and systemd, and with the unit enabled. What is
// seen there comes on its console, a line each; see guestScript.
func runKernel(o options, suite string) (result, error) {
	r := result{Release: suite, Booted: true}
	tarball, err := userland(o, suite+"+kernel")
	if err != nil {
		r.Skipped = err.Error()
		fmt.Printf("%s: skipped: %s\n", suite, r.Skipped)
		return r, r.keep(o)
	}
	dir, err := os.MkdirTemp(os.Getenv("TMPDIR"), "skep-matrix-kernel-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return r, err
	}
	if err := unpack(tarball, root); err != nil {
		return r, err
	}
	if err := furnish(root); err != nil {
		return r, err
	}
	disk := filepath.Join(dir, "disk.img")
	if err := makeDisk(disk, root); err != nil {
		return r, err
	}
	if err := boot(&r, root, disk, o.verbose); err != nil {
		return r, err
	}
	afterwards(&r, disk)
	return r, r.keep(o)
}

// furnish installs skep in a root, enables its unit, and puts there what the guest is to do.
func furnish(root string) error {
	if out, err := exec.Command("sh", "scripts/build", filepath.Join(root, "skep")).CombinedOutput(); err != nil {
		return fmt.Errorf("build skep: %w: %s", err, out)
	}
	install := exec.Command("sh", "scripts/install")
	install.Env = append(os.Environ(), "BIN="+filepath.Join(root, "skep"), "DESTDIR="+root, "PREFIX=/usr/local", "OS=Linux")
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("install skep: %w: %s", err, out)
	}
	wanted := "etc/systemd/system/multi-user.target.wants"
	files := map[string]string{
		"matrix":                             guestScript,
		"etc/systemd/system/matrix.service":  guestUnit,
		"etc/fstab":                          "/dev/vda / ext4 defaults 0 0\n",
		"etc/hostname":                       "matrix\n",
		"etc/modules-load.d/matrix.conf":     "tun\nbridge\n",
		"etc/systemd/journald.conf.d/m.conf": "[Journal]\nForwardToConsole=yes\nTTYPath=/dev/ttyS0\nMaxLevelConsole=info\n",
		// The order of their start, and so that of their end: second comes after first.
		"etc/skep/cells/first.hcl":  cellFile("first", "bridge \"matrix0\" {\n  create = true\n}\nnic \"lan\" {\n  bridge = \"matrix0\"\n}\n"),
		"etc/skep/cells/second.hcl": cellFile("second", "after = [\"first\"]\nscreen {\n}\ndisk \"d\" {\n  file = \"/srv/second.img\"\n  size = \"1M\"\n}\n"),
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if name == "matrix" {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "srv"), 0o755); err != nil {
		return err
	}
	for unit, at := range map[string]string{"skep.service": "/usr/local/lib/systemd/system", "matrix.service": "/etc/systemd/system"} {
		if err := os.MkdirAll(filepath.Join(root, wanted), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join(at, unit), filepath.Join(root, wanted, unit)); err != nil {
			return err
		}
	}
	return nil
}

func cellFile(name, more string) string {
	return "cell \"" + name + "\" {\naccel = \"tcg\"\nmemory = \"16M\"\nstart = \"boot\"\nstop_timeout = \"2m\"\n" + more + "}\n"
}

const guestUnit = `[Unit]
Description=what make matrix looks at
After=skep.service
[Service]
Type=oneshot
ExecStart=/matrix
StandardOutput=tty
TTYPath=/dev/ttyS0
TimeoutStartSec=infinity
[Install]
WantedBy=multi-user.target
`

// guestScript says what it sees in lines that begin with MATRIX, and ends with a power-off.
const guestScript = `#!/bin/sh
skep=/usr/local/bin/skep
say() { printf '\nMATRIX %s\n' "$*"; }
say "kernel $(uname -r)"
say "systemd $(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')"
say "qemu $(qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')"
try() { # WHAT COMMAND…
	what=$1; shift
	if out=$("$@" 2>&1); then say "pass $what"; else
		say "fail $what: $(echo "$out" | grep -E '^(fail|missing|extra|unknown|skep: error)' | head -n 4 | tr -s ' ' | tr '\n' ';')"
	fi
}
try "control groups are v2 alone" sh -c '[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] && ! grep -q "^[^ ]* [^ ]* cgroup " /proc/mounts'
try "the unit is active" systemctl is-active skep.service
for c in first second; do
	try "$c runs" sh -c "$skep show --json $c | tr -d ' \n' | grep -q '\"state\":\"running\"'"
	try "the audit of $c" $skep audit $c
done
try "40 calls at most" sh -c "n=\$($skep show --json second | tr -d ' \n' | sed 's/.*\"syscalls\":\([0-9]*\).*/\1/'); [ \$n -gt 0 ] && [ \$n -le 40 ]"
try "a screenshot" $skep screenshot second -o /tmp/second.png
try "doctor" $skep doctor
try "run, without the unit" sh -c "echo q | $skep run hello"
say "end"
systemctl poweroff
`

// makeDisk makes an ext4 of a tree.
func makeDisk(disk, root string) error {
	f, err := os.Create(disk)
	if err == nil {
		err = f.Truncate(diskSize)
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", "-d", root, disk).CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	return nil
}

// boot runs the machine to its end and takes down what its console says.
func boot(r *result, root, disk string, verbose bool) error {
	image, err := only(filepath.Join(root, "boot/vmlinuz-*"))
	if err != nil {
		return err
	}
	initrd, err := only(filepath.Join(root, "boot/initrd.img-*"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), bootTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1536", "-smp", "2",
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
		"-kernel", image, "-initrd", initrd, "-append", "root=/dev/vda rw console=ttyS0 panic=-1 no_timer_check systemd.show_status=no quiet",
		"-drive", "if=virtio,format=raw,file="+disk)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	log, whole := r.listen(out, verbose)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		r.add("it powers off", fmt.Sprintf("not within %s; it last said: %s", bootTime, lastLine(log)))
	case err != nil:
		r.add("it powers off", err.Error())
	case !whole:
		r.add("what is to be seen is seen", "the machine ended before; it last said: "+lastLine(log))
	default:
		r.add("it powers off", "")
	}
	return nil
}

func only(pattern string) (string, error) {
	found, _ := filepath.Glob(pattern)
	if len(found) != 1 {
		return "", fmt.Errorf("%d files are %s", len(found), pattern)
	}
	return found[0], nil
}

var said = regexp.MustCompile(`MATRIX (\S+) ?([^\r\n]*)`)

// listen reads a console to its end, and returns the last of it and whether all was looked at.
func (r *result) listen(console io.Reader, verbose bool) (end string, whole bool) {
	var last []string
	lines := bufio.NewScanner(console)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if verbose {
			fmt.Println(line)
		}
		if last = append(last, line); len(last) > 200 {
			last = last[1:]
		}
		m := said.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		switch what := strings.TrimSpace(m[2]); m[1] {
		case "kernel":
			r.Kernel = what
		case "systemd":
			r.Systemd = what
		case "qemu":
			r.QEMU = what
		case "pass":
			r.add(what, "")
		case "fail":
			name, why, _ := strings.Cut(what, ": ")
			r.add(name, orElse(why, "it fails"))
		case "end":
			whole = true
		}
	}
	return strings.Join(last, "\n"), whole
}

// afterwards looks at what the disk holds: that each guest heard its power button, and that the one
// that came after the other went before it.
func afterwards(r *result, disk string) {
	var ends [2]time.Time
	for i, name := range []string{"first", "second"} {
		log := onDisk(disk, "/var/lib/skep/cells/"+name+"/console.log")
		why := ""
		if !strings.Contains(log, "power off") {
			why = "its console does not say so: " + lastLine(log)
		}
		r.add(name+" is powered off by its button", why)
		var last struct{ Since time.Time }
		_ = json.Unmarshal([]byte(onDisk(disk, "/var/lib/skep/cells/"+name+"/last.json")), &last)
		ends[i] = last.Since
	}
	why := ""
	if ends[0].IsZero() || ends[1].IsZero() || ends[0].Before(ends[1]) {
		why = fmt.Sprintf("first ended at %s, second at %s", ends[0].Format(time.TimeOnly), ends[1].Format(time.TimeOnly))
	}
	r.add("second, which comes after first, ends before it", why)
}

// onDisk is a file of the machine's disk.
func onDisk(disk, path string) string {
	out, _ := exec.Command("debugfs", "-R", "cat "+path, disk).Output()
	return string(out)
}
