package console

import "golang.org/x/sys/unix"

// setLocal sets and clears local modes of a terminal: termios(3).
func setLocal(fd int, set, clear uint32) error {
	tio, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	tio.Lflag = tio.Lflag&^clear | set
	return unix.IoctlSetTermios(fd, unix.TCSETS, tio)
}

// flushInput throws away what was not read: tcflush(3).
func flushInput(fd int) error { return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH) }
