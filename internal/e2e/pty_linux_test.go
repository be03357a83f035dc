package e2e

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// onTerminal starts skep on a terminal of its own, as the leader of its
// session: standard input and output are the terminal, standard error is apart.
func (l *lab) onTerminal(args ...string) *live {
	l.t.Helper()
	ptmx, tty, err := openPTY()
	if err != nil {
		l.t.Fatal(err)
	}
	v := &live{t: l.t, cmd: l.command(l.t.Context(), args...), in: ptmx, out: &transcript{}, errs: &transcript{}, done: make(chan struct{}), tty: tty}
	v.cmd.Stdin, v.cmd.Stdout, v.cmd.Stderr = tty, tty, v.errs
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := ptmx.Read(b)
			_, _ = v.out.Write(b[:n])
			if err != nil {
				return
			}
		}
	}()
	l.start(v.cmd)
	v.reap()
	l.t.Cleanup(func() { ptmx.Close(); tty.Close() })
	return v
}

// openPTY is openpty(3).
func openPTY() (ptmx, tty *os.File, err error) {
	ptmx, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	conn, err := ptmx.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	n := 0
	var ierr error
	err = conn.Control(func(fd uintptr) {
		if ierr = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); ierr == nil {
			n, ierr = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err == nil {
		err = ierr
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		ptmx.Close()
	}
	return ptmx, tty, err
}

// cooked says whether the terminal is as terminals are between programs.
func (v *live) cooked() bool {
	v.t.Helper()
	termios, err := unix.IoctlGetTermios(int(v.tty.Fd()), unix.TCGETS)
	if err != nil {
		v.t.Fatal(err)
	}
	return termios.Lflag&unix.ICANON != 0 && termios.Lflag&unix.ECHO != 0
}
