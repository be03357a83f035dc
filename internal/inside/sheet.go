package inside

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"skep/internal/evidence"
	"skep/internal/reader"
	"skep/internal/tool"
)

// Bounds of a contact sheet: a picture as a file, and how long all of them may take.
const (
	maxShot      = 64 << 20
	longestSheet = 10 * time.Minute
)

// shotFile is the name of one of the pictures.
func shotFile(i int) string { return fmt.Sprintf("picture-%d", i) }

// drawSheet draws pictures, each with the word that the one argument has for it.
func drawSheet(in tool.Inside) error {
	var labels []string
	if err := json.Unmarshal([]byte(arg(in)), &labels); err != nil {
		return err
	}
	s := evidence.NewSheet(len(labels))
	for i, label := range labels {
		f := in.Files[shotFile(i)]
		if f == nil {
			return fmt.Errorf("picture %d is not there", i)
		}
		b, err := io.ReadAll(io.LimitReader(f, maxShot))
		if err == nil {
			err = s.AddPNG(i, b, label)
		}
		if err != nil {
			return fmt.Errorf("picture %d of them: %w", i+1, err)
		}
	}
	b, err := s.PNG()
	if err == nil {
		_, err = in.Out.Write(b)
	}
	return err
}

// Sheet is a contact sheet of pictures, with a word for each, made in a jail.
func Sheet(ctx context.Context, h reader.Host, pictures []*os.File, labels []string) ([]byte, error) {
	args, err := json.Marshal(labels)
	if err != nil {
		return nil, err
	}
	var files []tool.File
	for i, f := range pictures {
		files = append(files, tool.File{Name: shotFile(i), File: f})
	}
	out, err := tool.Run(ctx, h.Facts, tool.Job{Tool: tool.Reader(reader.Sheet), Args: []string{string(args)}, Files: files, AllowMissing: h.AllowMissing,
		Limits: tool.Limits{Memory: 512 << 20, Wall: longestSheet, Output: maxShot}})
	return out.Bytes, err
}
