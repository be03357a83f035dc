// Package netlog is the record that a network in user space keeps of what a guest did on it: lines of JSON in
// a file that is bounded. It runs in the jail of that network, on files that are open.
package netlog

import (
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Version is that of a line's form.
const Version = 1

// Kinds of lines.
const (
	DHCP    = "dhcp"
	DNS     = "dns"
	TCP     = "tcp"
	UDP     = "udp"
	HTTP    = "http"
	TLS     = "tls"
	SMTP    = "smtp"
	Ping    = "ping"
	Refused = "refused"
	Joined  = "joined" // another cell has come to a segment
	Left    = "left"   // one has gone
	Lost    = "lost"
)

// A Line is one thing that the guest did. What the guest chose of it is bounded and printable.
type Line struct {
	Version int       `json:"v"`
	Time    time.Time `json:"time"`
	NIC     string    `json:"nic"`
	Kind    string    `json:"kind"`
	Src     string    `json:"src,omitempty"`
	Dst     string    `json:"dst,omitempty"`
	Name    string    `json:"name,omitempty"` // that Dst was asked for by
	SNI     string    `json:"sni,omitempty"`
	Type    string    `json:"type,omitempty"`   // of a DNS question, of a DHCP message
	Answer  string    `json:"answer,omitempty"` // what it was told
	Method  string    `json:"method,omitempty"`
	Host    string    `json:"host,omitempty"`
	Path    string    `json:"path,omitempty"`
	Agent   string    `json:"agent,omitempty"`
	From    string    `json:"from,omitempty"`
	To      []string  `json:"to,omitempty"`
	First   string    `json:"first,omitempty"` // the first bytes of it
	Bytes   int64     `json:"bytes,omitempty"` // how many came in all
	Why     string    `json:"why,omitempty"`
	Count   uint64    `json:"count,omitempty"` // of a line that stands for many
}

// Bounds of what is kept of one thing.
const (
	maxText  = 512
	maxFirst = 256
	// perSecond is how many lines a second are written. What is more is counted.
	perSecond = 2000
)

// File is what a record is written to.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Stat() (os.FileInfo, error)
}

// A Log writes lines. Two files hold it: the older half of it is copied from one to the other.
type Log struct {
	nic       string
	now, then File
	most      int64 // of one file

	mu     sync.Mutex
	at     int64
	second int64
	lines  int
	lost   uint64
}

// New goes on with a record, or begins one. Of a line that is not whole nothing is kept.
func New(nic string, now, then File, most int64) (*Log, error) {
	info, err := now.Stat()
	if err != nil {
		return nil, err
	}
	l := &Log{nic: nic, now: now, then: then, most: most, at: info.Size()}
	if l.at > 0 {
		b := make([]byte, min(l.at, 64<<10))
		n, err := now.ReadAt(b, l.at-int64(len(b)))
		if err != nil && err != io.EOF {
			return nil, err
		}
		l.at -= int64(n - 1 - strings.LastIndexByte(string(b[:n]), '\n'))
		if err := now.Truncate(l.at); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Write writes a line. A disk that is full loses it, and it is counted.
func (l *Log) Write(line Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UTC()
	if s := now.Unix(); s != l.second {
		l.second, l.lines = s, 0
	}
	if l.lines >= perSecond {
		l.lost++
		return
	}
	l.lines++
	if l.lost > 0 {
		if l.put(Line{Version: Version, Time: now, NIC: l.nic, Kind: Lost, Count: l.lost, Why: "lines that were not written"}) {
			l.lost = 0
		}
	}
	line.Version, line.Time, line.NIC = Version, now, l.nic
	line.bound()
	if !l.put(line) {
		l.lost++
	}
}

func (line *Line) bound() {
	for _, s := range []*string{&line.Name, &line.SNI, &line.Answer, &line.Method, &line.Host, &line.Path, &line.Agent, &line.From, &line.Why} {
		*s = Text(*s, maxText)
	}
	line.To = line.To[:min(len(line.To), 16)]
	for i := range line.To {
		line.To[i] = Text(line.To[i], maxText)
	}
}

func (l *Log) put(line Line) bool {
	b, err := json.Marshal(line)
	if err != nil {
		return false
	}
	b = append(b, '\n')
	if l.at+int64(len(b)) > l.most && !l.turn() {
		return false
	}
	if _, err := l.now.WriteAt(b, l.at); err != nil {
		_ = l.now.Truncate(l.at) // no half of a line
		return false
	}
	l.at += int64(len(b))
	return true
}

// turn makes the record the older half, and begins a new one.
func (l *Log) turn() bool {
	if err := l.then.Truncate(0); err != nil {
		return false
	}
	b := make([]byte, l.at)
	if _, err := l.now.ReadAt(b, 0); err != nil && err != io.EOF {
		return false
	}
	if _, err := l.then.WriteAt(b, 0); err != nil {
		return false
	}
	if err := l.now.Truncate(0); err != nil {
		return false
	}
	l.at = 0
	return true
}

// First is the beginning of what came, as text.
func First(b []byte) string { return Text(string(b[:min(len(b), maxFirst)]), 4*maxFirst) }

// Text is what a guest said without what a terminal would obey, bounded.
func Text(s string, most int) string {
	plain := true
	for i := range len(s) {
		plain = plain && s[i] >= ' ' && s[i] < 0x7f && s[i] != '\\'
	}
	if !plain {
		q := strconv.QuoteToASCII(s)
		s = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	}
	if len(s) > most {
		s = s[:most] + "…"
	}
	return s
}
