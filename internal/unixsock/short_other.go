//go:build !linux

package unixsock

import "fmt"

// viaShort refuses a path that no socket address holds: there is no way round
// it here that does not change the working directory of the whole process.
func viaShort(path string, f func(short string) error) error {
	if len(path) > maxSunPath {
		return fmt.Errorf("%s: %d characters are too long for a UNIX socket, which holds %d", path, len(path), maxSunPath)
	}
	return f(path)
}
