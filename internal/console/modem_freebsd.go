package console

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// OpenModem opens the host's end of a null modem, nmdm(4), whose other end was
// opened in the jail already. It is made transparent before a byte of the
// guest's can come: a terminal echoes, and the echo would be typed into the
// guest.
func OpenModem(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	tio, err := unix.IoctlGetTermios(fd, unix.TIOCGETA)
	if err == nil {
		tio.Iflag, tio.Oflag, tio.Lflag = 0, 0, 0
		// CLOCAL: the guest's end closes at each reset, which is no hangup.
		tio.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL
		tio.Cc[unix.VMIN], tio.Cc[unix.VTIME] = 1, 0
		err = unix.IoctlSetTermios(fd, unix.TIOCSETA, tio)
	}
	// Go watches what does not block. Who opens it here only hands it on, and is not to wake at each byte.
	if err == nil {
		err = unix.SetNonblock(fd, false)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make %s transparent: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	return f, unix.SetNonblock(fd, true)
}
