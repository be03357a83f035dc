package console

import "golang.org/x/sys/unix"

// setLocal sets and clears local modes of a terminal: termios(3).
func setLocal(fd int, set, clear uint32) error {
	tio, err := unix.IoctlGetTermios(fd, unix.TIOCGETA)
	if err != nil {
		return err
	}
	tio.Lflag = tio.Lflag&^clear | set
	return unix.IoctlSetTermios(fd, unix.TIOCSETA, tio)
}

// flushInput throws away what was not read: tcflush(3).
func flushInput(fd int) error {
	const fread = 1 // FREAD, sys/fcntl.h
	return unix.IoctlSetPointerInt(fd, unix.TIOCFLUSH, fread)
}
