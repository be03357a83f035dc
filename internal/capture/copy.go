package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Blocks of a file: type and length in front, and the length once more behind.
const (
	blockHead  = 8
	blockLeast = 12
	blockMost  = 1 << 20
	magic      = 0x0a0d0d0a
)

// wholeOf is how much of a file is whole blocks.
func wholeOf(f File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	at := int64(0)
	for {
		var head [blockHead]byte
		n, err := f.ReadAt(head[:], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if n < blockHead {
			return at, nil
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		if at == 0 && binary.LittleEndian.Uint32(head[:]) != magic || size < blockLeast || size > blockMost || size%4 != 0 || at+size > info.Size() {
			return at, nil
		}
		at += size
	}
}

// partComment begins the comment of each section.
const partComment = "part %d"

// partOf is which one in a row a file is, 0 if it holds nothing. The times of the files do not tell: a file
// system may note them late (UFS does when somebody asks), or both within one tick of its clock.
func partOf(f File) (part uint64) {
	const optionsAt, comment = 24, 1
	var b [256]byte
	n, _ := f.ReadAt(b[:], 0)
	if n < optionsAt || binary.LittleEndian.Uint32(b[:]) != magic {
		return 0
	}
	for rest := b[optionsAt:n]; len(rest) > 4; {
		code, size := binary.LittleEndian.Uint16(rest), int(binary.LittleEndian.Uint16(rest[2:]))
		value := rest[4:min(4+size, len(rest))]
		if code == comment {
			_, _ = fmt.Sscanf(string(value), partComment, &part)
			return part
		}
		rest = rest[min(4+(size+3)&^3, len(rest)):]
	}
	return 0
}

// Copy writes what the two files hold to one, in the order in which it came.
func Copy(to io.Writer, one, two File) error {
	files := [2]File{one, two}
	if partOf(two) < partOf(one) {
		files[0], files[1] = files[1], files[0]
	}
	total := int64(0)
	for _, f := range files {
		whole, err := wholeOf(f)
		if err != nil {
			return err
		}
		if _, err := io.Copy(to, io.NewSectionReader(f, 0, whole)); err != nil {
			return fmt.Errorf("copy the capture: %w", err)
		}
		total += whole
	}
	if total == 0 {
		return errors.New("nothing is captured yet")
	}
	return nil
}
