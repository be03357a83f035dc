package unixsock

import (
	"fmt"
	"os"
	"path/filepath"
)

// viaShort reaches a long path through a descriptor of its directory.
func viaShort(path string, f func(short string) error) error {
	if len(path) <= maxSunPath {
		return f(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
}
