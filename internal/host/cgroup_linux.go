package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// liveDirs asks the kernel.
type liveDirs struct{}

// mayCreate tries. access(2) is no answer here: in a container the top of the
// tree looks writable to root and is not, and some kernels limit the number of
// children.
func (liveDirs) mayCreate(dir string) error {
	d := filepath.Join(dir, baseName+"-probe-"+strconv.Itoa(os.Getpid()))
	err := os.Mkdir(d, 0o700)
	if err != nil && !os.IsExist(err) {
		return fmt.Errorf("no directory can be made in %s: %w", dir, err.(*os.PathError).Err)
	}
	return os.Remove(d)
}

func (liveDirs) mayWrite(file string) bool {
	return unix.Faccessat(unix.AT_FDCWD, file, unix.W_OK, unix.AT_EACCESS) == nil
}

func (liveDirs) read(file string) string { return text(file) }
