package reader

import (
	"context"
	"os"
	"strconv"
	"time"

	"skep/internal/host"
	"skep/internal/tool"
)

// A Host is where readers are run: its facts, and the layers that may be missing there.
type Host struct {
	Facts        host.Facts
	AllowMissing []string
}

// Cut is disk.Cut, in a jail.
func (h Host) Cut(ctx context.Context, image *os.File, size int64) (at uint64, isCut bool, err error) {
	out, err := tool.Run(ctx, h.Facts, tool.Job{Tool: tool.Reader(Cut), Args: []string{strconv.FormatInt(size, 10)},
		Files: []tool.File{{Name: "image", File: image}}, AllowMissing: h.AllowMissing,
		Limits: tool.Limits{Wall: 30 * time.Second, Output: 32}})
	if err != nil || len(out.Bytes) == 0 {
		return 0, false, err
	}
	at, err = strconv.ParseUint(string(out.Bytes), 10, 64)
	return at, err == nil, err
}

// longestCopy bounds a copy; it is the pause of a guest, and whoever waits for it ends it sooner.
const longestCopy = 24 * time.Hour

// Copy is disk.Fill, in a jail. to may become as large as size.
func (h Host) Copy(ctx context.Context, to, from *os.File, size int64, progress func(float64)) error {
	_, err := tool.Run(ctx, h.Facts, tool.Job{Tool: tool.Reader(Copy), AllowMissing: h.AllowMissing,
		Files: []tool.File{{Name: "from", File: from}, {Name: "to", File: to}}, Progress: progress,
		Limits: tool.Limits{Wall: longestCopy, FileSize: size, Output: 1}})
	return err
}
