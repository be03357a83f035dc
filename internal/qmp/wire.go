package qmp

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"skep/internal/hypervisor"
)

// Bounds on what QEMU may send. The longest true reply is query-blockstats
// with some kilobytes a disk.
const (
	qmpMaxLine  = 256 << 10
	qmpMaxDepth = 32
)

// errHostile is a message that no QEMU sends.
var errHostile = errors.New("the hypervisor sent what is not QMP")

// message is one line from QEMU: a greeting, a reply or an event.
type message struct {
	Greeting *json.RawMessage `json:"QMP"`
	ID       *uint64          `json:"id"`
	Return   json.RawMessage  `json:"return"`
	Error    *replyError      `json:"error"`
	Event    string           `json:"event"`
	Data     json.RawMessage  `json:"data"`
}

type replyError struct {
	Class string `json:"class"`
	Desc  string `json:"desc"`
}

// reader reads bounded lines. The reader's buffer is the bound: a longer
// line is an error, never memory.
type reader struct{ r *bufio.Reader }

func newReader(r io.Reader) reader {
	return reader{bufio.NewReaderSize(r, qmpMaxLine)}
}

func (q reader) next() (message, error) {
	line, err := q.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return message{}, fmt.Errorf("%w: a line of more than %d bytes", errHostile, qmpMaxLine)
	}
	if err != nil {
		return message{}, err
	}
	return decode(line)
}

// decode decodes one line. What it returns shares no memory with the line.
func decode(line []byte) (message, error) {
	var m message
	if depth(line) > qmpMaxDepth {
		return m, fmt.Errorf("%w: nested deeper than %d", errHostile, qmpMaxDepth)
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return message{}, fmt.Errorf("%w: %s", errHostile, hypervisor.Clean(err.Error()))
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
