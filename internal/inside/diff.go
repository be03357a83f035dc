package inside

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"skep/internal/diskdiff"
	"skep/internal/reader"
	"skep/internal/tool"
)

func diffDisk(in tool.Inside) error {
	layer, base := in.Files["layer"], in.Files["base"]
	if layer == nil || base == nil {
		return errors.New("a layer and its base are needed")
	}
	return diskdiff.Diff(in.Out, layer, base)
}

// longestDiff bounds the reading of two disks.
const longestDiff = time.Hour

// Diff is how a layer differs from its base, found in a jail.
func Diff(ctx context.Context, h reader.Host, layer, base *os.File) (r diskdiff.Report, err error) {
	out, err := tool.Run(ctx, h.Facts, tool.Job{Tool: tool.Reader(reader.Diff), AllowMissing: h.AllowMissing,
		Files:  []tool.File{{Name: "layer", File: layer}, {Name: "base", File: base}},
		Limits: tool.Limits{Memory: 1 << 30, Wall: longestDiff, Output: 192 << 20}})
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(out.Bytes, &r); err != nil {
		return r, fmt.Errorf("the reader of disks said what it should not: %w", err)
	}
	return r, nil
}
