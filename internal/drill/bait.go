//go:build linux || freebsd

package drill

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
	dir     string // on the host, open to everybody who can name it
	file    string // a file that everybody may read and write
	public  string // a directory in which everybody may make files
	secret  string // a file that only its owner may read
	program string // the attacker, executable
	setuid  string // the same, set-user-ID root; "" where somebody else could run it

	tcp     *net.TCPListener
	udp     *net.UDPConn
	socket  *net.UnixListener // at dir/socket
	process *exec.Cmd         // someone else's process; it does nothing
	hold    *os.File          // keeps it alive
	leaks   []int             // descriptors that the caller forgot to mark close-on-exec
	own     systemBait

	hidden bool // nobody but the drill can see any of it
	undo   []func()
}

// baitVariable is in the caller's environment; baitText is in every piece of bait.
const (
	baitVariable = "SKEP_DRILL_BAIT"
	baitText     = "bait of skep drill"
)

// layBait makes all of it. Everybody may pass through the directory: the attempts of a cell without
// a layer run as anybody. hidden says that no other user of the host can see any of it.
func layBait(programme []byte, hidden bool) (b *Bait, err error) {
	b = &Bait{hidden: hidden, own: noBait}
	defer func() {
		if err != nil {
			b.clear()
			b, err = nil, fmt.Errorf("cannot lay out the bait: %w", err)
		}
	}()
	for _, lay := range []func() error{func() error { return b.files(programme) }, b.sockets, b.bystander, b.leak, b.system} {
		if err := lay(); err != nil {
			return b, err
		}
	}
	os.Setenv(baitVariable, baitText)
	b.later(func() { os.Unsetenv(baitVariable) })
	return b, nil
}

func (b *Bait) later(undo func()) { b.undo = append(b.undo, undo) }

func (b *Bait) clear() {
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
	b.dir = dir
	b.later(func() { os.RemoveAll(dir) })
	if b.hidden {
		if err := b.hide(); err != nil {
			return err
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	b.file, b.public, b.secret, b.program = in("file"), in("public"), in("secret"), in("attacker")
	text := []byte(baitText)
	err = errors.Join(os.Chmod(dir, 0o711),
		os.WriteFile(b.file, text, 0o666), os.Chmod(b.file, 0o666),
		os.WriteFile(b.secret, text, 0o600),
		os.Mkdir(b.public, 0o777), os.Chmod(b.public, 0o777),
		os.WriteFile(b.program, programme, 0o755), os.Chmod(b.program, 0o755))
	if err == nil && b.hidden && os.Geteuid() == 0 {
		b.setuid = in("setuid")
		err = errors.Join(os.WriteFile(b.setuid, programme, 0o755), os.Chmod(b.setuid, os.ModeSetuid|0o755))
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
	if b.tcp, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return err
	}
	b.later(func() { b.tcp.Close() })
	if b.udp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return err
	}
	b.later(func() { b.udp.Close() })
	path := filepath.Join(b.dir, "socket")
	if b.socket, err = net.ListenUnix("unix", &net.UnixAddr{Name: path}); err != nil {
		return err
	}
	b.later(func() { b.socket.Close() })
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
	b.process = bystanderCommand(b.program, theirs)
	if err := b.process.Start(); err != nil {
		b.hold.Close()
		return err
	}
	b.later(func() { b.hold.Close(); _ = b.process.Process.Kill(); _ = b.process.Wait() })
	return nil
}

func (b *Bait) pid() int { return b.process.Process.Pid }

// leak forgets to mark some descriptors.
func (b *Bait) leak() error {
	for _, path := range []string{b.file, b.public, "/"} {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, leakFrom)
		unix.Close(fd)
		if err != nil {
			return err
		}
		b.leaks = append(b.leaks, high)
		b.later(func() { unix.Close(high) })
	}
	return nil
}

// victim is a new file of the host to be renamed or removed.
func (b *Bait) victim(what string) string {
	f, err := os.CreateTemp(b.public, what+"-")
	if err != nil {
		return b.public + "/none"
	}
	defer f.Close()
	return f.Name()
}

// diskSize is that of a scratch disk.
const diskSize = 16 * cell.MiB

// scratchDisk makes the file of a disk, which is empty.
func scratchDisk(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	err := os.WriteFile(path, nil, 0o600)
	if err == nil {
		err = os.Truncate(path, int64(diskSize))
	}
	return path, err
}
