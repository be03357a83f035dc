package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"skep/internal/layout"
)

// A Selection is the part of a log that is asked for.
type Selection struct {
	Last    bool  // from the last start
	Since   int64 // from the start that the cell ran from then, in seconds; 0 is none
	Ended   bool  // nothing of it is so late: it had ended by then
	Tail    int   // the last lines of that only; -1 is all
	Numbers []string
}

// From is where the selection begins.
func (s Selection) From(log *os.File) (int64, error) {
	var from int64
	if s.Last || s.Since != 0 {
		var err error
		if from, err = s.start(log); err != nil {
			return 0, err
		}
	}
	if s.Tail < 0 {
		return from, nil
	}
	tail, err := tailLines(log, s.Tail)
	return max(from, tail), err
}

// start is where the start of Last or Since is, or the end of the log where the cell did not run since.
func (s Selection) start(log *os.File) (int64, error) {
	numbers := map[string]bool{}
	for _, n := range s.Numbers {
		numbers[n] = true
	}
	starts, err := startsIn(io.NewSectionReader(log, 0, 1<<62), numbers)
	if err != nil || len(starts) == 0 {
		return 0, err // of an older skep, or cut away: all of it is of one start
	}
	if s.Last {
		return starts[len(starts)-1].Offset, nil
	}
	if s.Ended {
		return log.Seek(0, io.SeekEnd)
	}
	from := starts[0].Offset
	for _, one := range starts {
		if one.At.Unix() <= s.Since {
			from = one.Offset
		}
	}
	if starts[0].At.Unix() > s.Since {
		from = 0 // what is left of an earlier start may be of that time too
	}
	return from, nil
}

// remembered is how much of the end of what was written is kept, to find the place again when the log is cut.
const remembered = 512

// Print writes a log from an offset to its end, and then what comes, as long as more says so: it is asked
// each time the end is reached, and waits a little. A log that is cut meanwhile goes on where it was.
func Print(w io.Writer, log *os.File, from int64, more func() bool) error {
	b := make([]byte, 64<<10)
	var last []byte
	for {
		n, err := log.ReadAt(b, from)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		from += int64(n)
		if last = append(last, b[:n]...); len(last) > remembered {
			last = append(last[:0], last[len(last)-remembered:]...)
		}
		if n > 0 {
			continue
		}
		if !more() {
			// What came between the last look and the end of the cell is not lost.
			if more = func() bool { return false }; !grown(log, from) {
				return nil
			}
			continue
		}
		if from, err = placeAgain(log, from, last); err != nil {
			return err
		}
	}
}

func grown(log *os.File, from int64) bool {
	info, err := log.Stat()
	return err == nil && info.Size() > from
}

// placeAgain is where a log goes on: at from, unless it was cut. Then what was written last is looked for,
// first where the line about the cut says that it is. A place that is gone is gone with what was cut, and
// the log begins anew.
func placeAgain(log *os.File, from int64, last []byte) (int64, error) {
	if from == 0 || len(last) == 0 || endsAt(log, from, last) {
		return from, nil
	}
	info, err := log.Stat()
	if err != nil {
		return 0, err
	}
	line := make([]byte, 64)
	n, _ := log.ReadAt(line, 0)
	var cut int64
	if line, _, ok := bytes.Cut(line[:n], []byte("\n")); ok {
		if _, err := fmt.Sscanf(string(line), "[skep: %d bytes of log cut here]", &cut); err == nil {
			if at := int64(len(line)) + 1 + from - cut; at > 0 && at <= info.Size() && endsAt(log, at, last) {
				return at, nil
			}
		}
	}
	all := make([]byte, min(info.Size(), longestLog))
	n, err = log.ReadAt(all, info.Size()-int64(len(all)))
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if i := bytes.LastIndex(all[:n], last); i >= 0 {
		return info.Size() - int64(len(all)) + int64(i+len(last)), nil
	}
	return 0, nil
}

// longestLog is how much of the end of a log is searched.
const longestLog = 8 << 20

// endsAt says whether a log has these bytes before a place.
func endsAt(log *os.File, at int64, last []byte) bool {
	if at < int64(len(last)) {
		return false
	}
	b := make([]byte, len(last))
	n, _ := log.ReadAt(b, at-int64(len(last)))
	return n == len(last) && bytes.Equal(b, last)
}

// StartNumbers are the numbers of the starts of a log: skep's own, and none of the guest's bytes.
func StartNumbers(log string) ([]string, error) {
	b, err := os.ReadFile(layout.Starts(log))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(b)), err
}
