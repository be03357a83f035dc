package inside

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"skep/internal/cell"
	"skep/internal/reader"
	"skep/internal/tool"
)

// A bomb is small and unpacks to far more than any disk does: from bombFrom on, more than bombTimes of what
// was read.
const (
	bombFrom  = 2 << 30
	bombTimes = 1000
)

// maxWindow bounds what the unpackers keep of what they have unpacked.
const maxWindow = 256 << 20

func unpackImage(in tool.Inside) error {
	var j reader.UnpackJob
	src, dst := in.Files["in"], in.Files["out"]
	if len(in.Args) != 1 || src == nil || dst == nil {
		return errors.New("a job and two files are needed")
	}
	if err := json.Unmarshal([]byte(in.Args[0]), &j); err != nil {
		return err
	}
	length, err := src.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = src.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	packed := &counted{r: src}
	r, err := unpacker(j.Packing, packed)
	if err != nil {
		return err
	}
	w := &sparse{f: dst}
	buf := make([]byte, 1<<20)
	for said := int64(0); ; {
		n, err := r.Read(buf)
		if werr := w.write(buf[:n]); werr != nil {
			return werr
		}
		switch {
		case w.at > j.Max:
			return fmt.Errorf("it unpacks to more than %s", cell.Size(j.Max))
		case !j.Asked && w.at > bombFrom && w.at/bombTimes > packed.n:
			return fmt.Errorf("it unpacks to more than %d times its length", bombTimes)
		case errors.Is(err, io.EOF):
			return w.end()
		case errors.Is(err, io.ErrUnexpectedEOF):
			return errors.New("it is truncated")
		case err != nil:
			return err
		}
		if packed.n-said > length/200 {
			said = packed.n
			in.Progress(float64(packed.n) / float64(length))
		}
	}
}

func unpacker(packing string, r io.Reader) (io.Reader, error) {
	switch packing {
	case "xz":
		return xz.ReaderConfig{DictCap: maxWindow}.NewReader(r)
	case "gz":
		return gzip.NewReader(r)
	case "zst":
		return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	}
	return nil, fmt.Errorf("%q is not a way to pack an image", packing)
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// sparse writes a file in which zeros are holes.
type sparse struct {
	f  *os.File
	at int64
}

const sparseBlock = 4096

func (s *sparse) write(b []byte) error {
	var zero [sparseBlock]byte
	for len(b) > 0 {
		n := min(len(b), sparseBlock)
		if !bytes.Equal(b[:n], zero[:n]) {
			if _, err := s.f.WriteAt(b[:n], s.at); err != nil {
				return errors.New("cannot write what was unpacked: " + err.Error())
			}
		}
		s.at += int64(n)
		b = b[n:]
	}
	return nil
}

func (s *sparse) end() error { return s.f.Truncate(s.at) }
