package console

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// boundPause is how long a busy log is left alone between two looks at it. A
// guest that floods writes a few megabytes a second at most.
const boundPause = 100 * time.Millisecond

// Bound keeps a log below max bytes until the context ends, by trim: Trim does. An idle guest
// costs nothing: inotify(7) wakes it.
func Bound(ctx context.Context, path string, max int64, trim func(path string, max int64) error) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if errors.Is(err, unix.EMFILE) {
		// fs.inotify.max_user_instances: 128 for all of a user's programs.
		return boundByTime(ctx, path, max, trim)
	}
	if err != nil {
		return err
	}
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY); err != nil {
		unix.Close(fd)
		return err
	}
	f := os.NewFile(uintptr(fd), "inotify")
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { f.Close() })
	defer stop()
	buf := make([]byte, 4096)
	for {
		if _, err := f.Read(buf); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if err := trim(path, max); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(boundPause):
		}
	}
}
