package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// libvirtDomain has libvirt's session daemon run the guest with the board that QEMU is measured with.
const libvirtDomain = `<domain type='qemu'>
  <name>skep-bench</name>
  <memory unit='MiB'>512</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type><kernel>%s</kernel><initrd>%s</initrd><cmdline>%s</cmdline></os>
  <devices>
    <emulator>%s</emulator>
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/><target dev='vda' bus='virtio'/></disk>
    <serial type='unix'><source mode='bind' path='%s'/><target port='0'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
`

// libvirt is libvirt's own way of starting a guest and of going back to a snapshot of one that ran: a daemon of
// this user's, which ends some time after its last guest.
type libvirt struct {
	virsh, console string
	env            []string
	as             *syscall.SysProcAttr
}

const nobody = 65534

const libvirtName, libvirtSnapshot = "skep-bench", "ready"

// newLibvirt defines the guest, boots it and keeps its state once it is ready.
func (b *bencher) newLibvirt(file string) (_ *libvirt, err error) {
	virsh, err := exec.LookPath("virsh")
	if err != nil {
		return nil, fmt.Errorf("%w: apt-get install libvirt-clients libvirt-daemon libvirt-daemon-driver-qemu", err)
	}
	i, err := newInside(file)
	if err != nil {
		return nil, err
	}
	argv := []string{i.facts.Linux.QEMU.Path, i.cell.Kernel.Image, i.cell.Kernel.Initrd}
	dir, err := os.MkdirTemp("", "skep-libvirt") // a short name: it holds sockets
	if err != nil {
		return nil, err
	}
	l := &libvirt{virsh: virsh, console: filepath.Join(dir, "console")}
	for _, name := range []string{"HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"} {
		l.env = append(l.env, name+"="+dir)
	}
	defer func() {
		if err != nil {
			l.end()
		}
	}()
	for n, path := range argv[1:] { // where its user may read them
		if argv[n+1], err = copied(path, dir); err != nil {
			return nil, err
		}
	}
	image := filepath.Join(dir, "disk.qcow2")
	if out, err := exec.Command("qemu-img", "create", "-f", "qcow2", image, "128M").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("qemu-img: %w: %s", err, out)
	}
	domain := filepath.Join(dir, "domain.xml")
	text := fmt.Sprintf(libvirtDomain, escaped(argv[1]), escaped(argv[2]), escaped(i.cell.Kernel.Cmdline), escaped(argv[0]), escaped(image), escaped(l.console))
	if err := os.WriteFile(domain, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		// For root there is only the host's daemon, and no session's.
		l.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if err := chownAll(dir, nobody); err != nil {
			return nil, err
		}
	}
	if err := l.do("define", domain); err != nil {
		return nil, err
	}
	if _, err := l.answers("", "guest: ready", "start", libvirtName); err != nil {
		return nil, err
	}
	if err := l.do("snapshot-create-as", libvirtName, libvirtSnapshot); err != nil {
		return nil, err
	}
	return l, l.do("destroy", libvirtName)
}

// copied is a copy of a file in a directory.
func copied(path, dir string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, filepath.Base(path))
	return to, os.WriteFile(to, text, 0o600)
}

// chownAll gives a directory, and the files in it, to a user.
func chownAll(dir string, uid int) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, uid))
	})
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}

func (l *libvirt) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, l.virsh, append([]string{"-q", "-c", "qemu:///session"}, args...)...)
	cmd.Env, cmd.SysProcAttr = append(os.Environ(), l.env...), l.as
	return cmd
}

func (l *libvirt) do(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), guestQuiet)
	defer cancel()
	if out, err := l.command(ctx, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("virsh %s: %w: %s", args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

// answers has virsh do something, and measures until the guest has said what is waited for. Its console is there
// before the guest is, so nothing of it is missed.
func (l *libvirt) answers(ask, want string, args ...string) (time.Duration, error) {
	begin := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- l.do(args...) }()
	conn, err := l.join()
	if err != nil {
		return 0, errors.Join(err, <-ended)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(guestQuiet))
	if _, err = io.WriteString(conn, ask); err == nil {
		err = until(conn, want)
	}
	took := time.Since(begin)
	return took, errors.Join(err, <-ended)
}

// join connects to the console as soon as libvirt has made it.
func (l *libvirt) join() (net.Conn, error) {
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("unix", l.console)
		if err == nil || time.Since(began) > guestQuiet {
			return conn, err
		}
	}
}

func (l *libvirt) start() (time.Duration, error) {
	return l.once("", "guest: ready", "start", libvirtName)
}

func (l *libvirt) revert() (time.Duration, error) {
	return l.once("count\n", "guest: count", "snapshot-revert", libvirtName, libvirtSnapshot, "--running")
}

// once begins and ends with a guest that does not run.
func (l *libvirt) once(ask, want string, args ...string) (time.Duration, error) {
	took, err := l.answers(ask, want, args...)
	return took, errors.Join(err, l.do("destroy", libvirtName))
}

// end removes the guest and what it was made of.
func (l *libvirt) end() {
	_ = l.do("destroy", libvirtName)
	_ = l.do("undefine", libvirtName, "--snapshots-metadata")
	dir := filepath.Dir(l.console)
	if text, err := os.ReadFile(filepath.Join(dir, "libvirt/libvirtd.pid")); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			// The file is in a directory of nobody's: what it names is only ended if it is that.
			if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil && strings.TrimSpace(string(name)) == "libvirtd" {
				_ = syscall.Kill(pid, syscall.SIGTERM)
			}
		}
	}
	_ = os.RemoveAll(dir)
}
