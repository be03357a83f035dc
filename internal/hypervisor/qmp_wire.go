package hypervisor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds on what QEMU may send. The longest true reply is query-blockstats
// with some kilobytes a disk.
const (
	qmpMaxLine  = 256 << 10
	qmpMaxDepth = 32
	qmpMaxText  = 256 // of one string that is kept
)

// errHostile is a message that no QEMU sends.
var errHostile = errors.New("the hypervisor sent what is not QMP")

// qmpMessage is one line from QEMU: a greeting, a reply or an event.
type qmpMessage struct {
	Greeting *json.RawMessage `json:"QMP"`
	ID       *uint64          `json:"id"`
	Return   json.RawMessage  `json:"return"`
	Error    *qmpError        `json:"error"`
	Event    string           `json:"event"`
	Data     json.RawMessage  `json:"data"`
}

type qmpError struct {
	Class string `json:"class"`
	Desc  string `json:"desc"`
}

// qmpReader reads bounded lines. The reader's buffer is the bound: a longer
// line is an error, never memory.
type qmpReader struct{ r *bufio.Reader }

func newQMPReader(r io.Reader) qmpReader {
	return qmpReader{bufio.NewReaderSize(r, qmpMaxLine)}
}

func (q qmpReader) next() (qmpMessage, error) {
	line, err := q.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return qmpMessage{}, fmt.Errorf("%w: a line of more than %d bytes", errHostile, qmpMaxLine)
	}
	if err != nil {
		return qmpMessage{}, err
	}
	return decodeQMP(line)
}

// decodeQMP decodes one line. What it returns shares no memory with the line.
func decodeQMP(line []byte) (qmpMessage, error) {
	var m qmpMessage
	if depth(line) > qmpMaxDepth {
		return m, fmt.Errorf("%w: nested deeper than %d", errHostile, qmpMaxDepth)
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return qmpMessage{}, fmt.Errorf("%w: %s", errHostile, clean(err.Error()))
	}
	return m, nil
}

// depth is how deeply the brackets of a JSON text are nested, without parsing it.
func depth(text []byte) int {
	var now, most int
	inString, escaped := false, false
	for _, b := range text {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped = b == '\\'
			inString = b != '"'
		case b == '"':
			inString = true
		case b == '{' || b == '[':
			now++
			most = max(most, now)
		case b == '}' || b == ']':
			now--
		}
	}
	return most
}

// clean makes a string of QEMU's fit for a terminal and a log: bounded, and
// with nothing in it that moves a cursor.
func clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len()+utf8.UTFMax > qmpMaxText {
			break
		}
		if !unicode.IsPrint(r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}
