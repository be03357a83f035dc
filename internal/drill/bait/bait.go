//go:build linux || freebsd

// Package bait is what a drill's attacker is given to reach for: files, sockets and processes of the host, and a
// neighbour cell; and the attacker's own program. It knows no attempt.
package bait

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"skep/internal/cell"
)

// Bait is what there is to be had on the host: without it an attempt could fail because there was
// nothing to reach. All of it is the drill's own and goes with it.
type Bait struct {
	Dir     string // on the host, open to everybody who can name it
	File    string // a file that everybody may read and write
	Public  string // a directory in which everybody may make files
	Secret  string // a file that only its owner may read
	Program string // the attacker, executable
	Setuid  string // the same, set-user-ID root; "" where somebody else could run it

	TCP     *net.TCPListener
	UDP     *net.UDPConn
	Socket  *net.UnixListener // at dir/socket
	process *exec.Cmd         // someone else's process; it does nothing
	hold    *os.File          // keeps it alive
	Leaks   []int             // descriptors that the caller forgot to mark close-on-exec
	Own     systemBait

	Hidden bool // nobody but the drill can see any of it
	undo   []func()
}

// baitVariable is in the caller's environment; baitText is in every piece of bait.
const (
	baitVariable = "SKEP_DRILL_BAIT"
	Text         = "bait of skep drill"
)

// Lay makes all of it. Everybody may pass through the directory: the attempts of a cell without
// a layer run as anybody. hidden says that no other user of the host can see any of it.
func Lay(programme []byte, hidden bool) (b *Bait, err error) {
	b = &Bait{Hidden: hidden, Own: noBait}
	defer func() {
		if err != nil {
			b.Clear()
			b, err = nil, fmt.Errorf("cannot lay out the bait: %w", err)
		}
	}()
	for _, lay := range []func() error{func() error { return b.files(programme) }, b.sockets, b.bystander, b.leak, b.system} {
		if err := lay(); err != nil {
			return b, err
		}
	}
	os.Setenv(baitVariable, Text)
	b.later(func() { os.Unsetenv(baitVariable) })
	return b, nil
}

func (b *Bait) later(undo func()) { b.undo = append(b.undo, undo) }

func (b *Bait) Clear() {
	for i := len(b.undo) - 1; i >= 0; i-- {
		b.undo[i]()
	}
	b.undo = nil
}

func (b *Bait) files(programme []byte) error {
	dir, err := scratch()
	if err != nil {
		return err
	}
	b.Dir = dir
	b.later(func() { os.RemoveAll(dir) })
	if b.Hidden {
		if err := b.hide(); err != nil {
			return err
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	b.File, b.Public, b.Secret, b.Program = in("file"), in("public"), in("secret"), in("attacker")
	text := []byte(Text)
	err = errors.Join(os.Chmod(dir, 0o711),
		os.WriteFile(b.File, text, 0o666), os.Chmod(b.File, 0o666),
		os.WriteFile(b.Secret, text, 0o600),
		os.Mkdir(b.Public, 0o777), os.Chmod(b.Public, 0o777),
		os.WriteFile(b.Program, programme, 0o755), os.Chmod(b.Program, 0o755))
	if err == nil && b.Hidden && os.Geteuid() == 0 {
		b.Setuid = in("setuid")
		err = errors.Join(os.WriteFile(b.Setuid, programme, 0o755), os.Chmod(b.Setuid, os.ModeSetuid|0o755))
	}
	return err
}

// scratch is a directory from which programs can be run.
func scratch() (string, error) {
	for _, where := range append([]string{os.TempDir(), "/var/tmp"}, stateDirs...) {
		if noExec(where) {
			continue
		}
		if dir, err := os.MkdirTemp(where, "skep-drill-"); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no directory for scratch files from which a program could be run; TMPDIR names one")
}

func (b *Bait) sockets() (err error) {
	if b.TCP, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return err
	}
	b.later(func() { b.TCP.Close() })
	if b.UDP, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return err
	}
	b.later(func() { b.UDP.Close() })
	path := filepath.Join(b.Dir, "socket")
	if b.Socket, err = net.ListenUnix("unix", &net.UnixAddr{Name: path}); err != nil {
		return err
	}
	b.later(func() { b.Socket.Close() })
	return os.Chmod(path, 0o666)
}

// bystander is a process to attack: the attacker's own program, waiting for commands that never come.
func (b *Bait) bystander() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	b.hold = os.NewFile(uintptr(pair[0]), "bystander")
	theirs := os.NewFile(uintptr(pair[1]), "bystander")
	defer theirs.Close()
	b.process = BystanderCommand(b.Program, theirs)
	if err := b.process.Start(); err != nil {
		b.hold.Close()
		return err
	}
	b.later(func() { b.hold.Close(); _ = b.process.Process.Kill(); _ = b.process.Wait() })
	return nil
}

func (b *Bait) PID() int { return b.process.Process.Pid }

// leak forgets to mark some descriptors.
func (b *Bait) leak() error {
	for _, path := range []string{b.File, b.Public, "/"} {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, leakFrom)
		unix.Close(fd)
		if err != nil {
			return err
		}
		b.Leaks = append(b.Leaks, high)
		b.later(func() { unix.Close(high) })
	}
	return nil
}

// Victim is a new file of the host to be renamed or removed.
func (b *Bait) Victim(what string) string {
	f, err := os.CreateTemp(b.Public, what+"-")
	if err != nil {
		return b.Public + "/none"
	}
	defer f.Close()
	return f.Name()
}

// DiskSize is that of a scratch disk.
const DiskSize = 16 * cell.MiB

// ScratchDisk makes the file of a disk, which is empty.
func ScratchDisk(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	err := os.WriteFile(path, nil, 0o600)
	if err == nil {
		err = os.Truncate(path, int64(DiskSize))
	}
	return path, err
}
