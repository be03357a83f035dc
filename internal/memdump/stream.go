package memdump

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// stream is read once and forwards.
type stream struct {
	r       io.Reader
	at      int64
	written int64
}

func (s *stream) full(b []byte) error {
	n, err := io.ReadFull(s.r, b)
	s.at += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errShort
	}
	return err
}

// decode reads a structure, of which the beginning may have been read.
func (s *stream) decode(begun []byte, v any) error {
	b := make([]byte, binary.Size(v))
	copy(b, begun)
	if err := s.full(b[len(begun):]); err != nil {
		return err
	}
	return binary.Read(bytes.NewReader(b), binary.LittleEndian, v)
}

func (s *stream) skipTo(at int64) error {
	if at < s.at {
		return errors.New("the parts of the hypervisor's dump are in no order")
	}
	n, err := io.CopyN(io.Discard, s.r, at-s.at)
	s.at += n
	if errors.Is(err, io.EOF) {
		return errShort
	}
	return err
}

// rest reads what follows the last part, so that the hypervisor is not left waiting. It is not kept.
func (s *stream) rest() error {
	_, err := io.CopyN(io.Discard, s.r, maxHeader)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = errors.New("the hypervisor's dump does not end")
	}
	return err
}

// copyTo writes size bytes of the stream, or up to so many where it may end before. Blocks of zeros are
// left out, which makes them holes.
func (s *stream) copyTo(to File, at, size int64, may bool) (int64, error) {
	var zero [page]byte
	buf := make([]byte, 1<<20)
	done := int64(0)
	for done < size {
		n, err := io.ReadFull(s.r, buf[:min(int64(len(buf)), size-done)])
		s.at += int64(n)
		for b := buf[:n]; len(b) > 0; {
			k := min(len(b), page-int((at+done)%page))
			if !bytes.Equal(b[:k], zero[:k]) {
				if _, err := to.WriteAt(b[:k], at+done); err != nil {
					return done, errors.New("cannot write the dump: " + err.Error())
				}
				s.written += int64(k)
			}
			done += int64(k)
			b = b[k:]
		}
		switch {
		case (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) && may:
			return done, nil
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return done, errShort
		case err != nil:
			return done, err
		}
	}
	if may {
		var one [1]byte
		if n, _ := s.r.Read(one[:]); n > 0 {
			return done, errors.New("the hypervisor's dump is larger than the guest's memory")
		}
	}
	return done, nil
}

// Pour writes the stream of a guest whose memory can be read, each byte at its physical address. No byte is looked at.
func Pour(ctx context.Context, w io.Writer, memory io.ReaderAt, ranges []Range) error {
	if _, err := w.Write(Header(ranges)); err != nil {
		return err
	}
	for _, p := range ranges {
		n, err := io.Copy(w, until{ctx, io.NewSectionReader(memory, p.From, p.Size)})
		if err == nil && n < p.Size {
			err = fmt.Errorf("it has %d bytes at %#x, and %d are its own", n, p.From, p.Size)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// until reads until its time is over.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
