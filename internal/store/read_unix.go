//go:build unix

package store

import "syscall"

// readSmall reads a small file of our own without what os.ReadFile asks the
// kernel besides: a list of hundreds of cells reads four for each.
func readSmall(path string) ([]byte, error) {
	fd, err := openSmall(path)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	return readFrom(fd)
}

func openSmall(path string) (fd int, err error) {
	for {
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != syscall.EINTR {
			return fd, err
		}
	}
}

func readFrom(fd int) ([]byte, error) {
	b := make([]byte, 0, 1024)
	for {
		n, err := syscall.Pread(fd, b[len(b):cap(b)], int64(len(b)))
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return nil, err
		case n == 0:
			return b, nil
		default:
			b = b[:len(b)+n]
			if len(b) == cap(b) {
				b = append(b, 0)[:len(b)]
			}
		}
	}
}
