package inside

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"skep/internal/cell"
	"skep/internal/reader"
	"skep/internal/results"
	"skep/internal/tool"
)

// resultsJob is what the reader of results is asked for. Its file is "disk".
type resultsJob struct {
	Size   int64
	Format cell.ResultsFormat
	Bounds results.Bounds
}

func bringOut(in tool.Inside) error {
	var j resultsJob
	disk := in.Files["disk"]
	if len(in.Args) != 1 || disk == nil {
		return errors.New("a job and a disk are needed")
	}
	if err := json.Unmarshal([]byte(in.Args[0]), &j); err != nil {
		return err
	}
	return results.Extract(in.Out, disk, j.Size, j.Format, j.Bounds)
}

// longestResults bounds the reading of results.
const longestResults = time.Hour

// Results brings out what a guest has written to a disk. The disk is read in a jail; what comes out of there
// is taken for hostile too.
func Results(ctx context.Context, h reader.Host, disk *os.File, format cell.ResultsFormat, b results.Bounds, to results.Sink) (results.Report, error) {
	info, err := disk.Stat()
	if err != nil {
		return results.Report{}, err
	}
	args, err := json.Marshal(resultsJob{info.Size(), format, b})
	if err != nil {
		return results.Report{}, err
	}
	stream, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := tool.Run(ctx, h.Facts, tool.Job{Tool: tool.Reader(reader.Results), Args: []string{string(args)}, Out: w,
			Files: []tool.File{{Name: "disk", File: disk}}, AllowMissing: h.AllowMissing,
			Limits: tool.Limits{Memory: 512 << 20, Wall: longestResults, Output: b.Output()}})
		w.CloseWithError(io.ErrUnexpectedEOF)
		ended <- err
	}()
	report, err := results.Unpack(stream, to, b)
	stream.CloseWithError(err)
	if rerr := <-ended; rerr != nil && (err == nil || results.Torn(err)) {
		err = rerr // why the stream ends where it does
	}
	return report, err
}
