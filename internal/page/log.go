package page

import (
	"bytes"
	"net/http"
	"os"
	"strconv"
	"time"

	"skep/internal/console"
)

// mostLines bounds how much of a log is shown at once; maxLog how many bytes.
const (
	mostLines = 5000
	maxLog    = 4 << 20
)

// log shows the last lines of what a guest, or its hypervisor, has said. What a terminal would obey is escaped.
func (s *server) log(w http.ResponseWriter, r *http.Request, v visitor) {
	lines, err := strconv.Atoi(r.URL.Query().Get("lines"))
	if err != nil || lines < 1 {
		lines = 500
	}
	ask := v.ask(Log)
	ask.Cell, ask.Text = r.PathValue("cell"), r.URL.Query().Get("of")
	got, err := s.ask(r.Context(), ask)
	if err != nil {
		refuse(w, err)
		return
	}
	if len(got.files) != 1 {
		raw(w, http.StatusOK, "text/plain; charset=utf-8", nil) // it has not said anything yet
		return
	}
	defer got.files[0].Close()
	text, err := printed(got.files[0], min(lines, mostLines))
	if err != nil {
		refuse(w, err)
		return
	}
	raw(w, http.StatusOK, "text/plain; charset=utf-8", text)
}

// printed is the end of a log as plain text.
func printed(log *os.File, lines int) ([]byte, error) {
	from, err := console.Selection{Tail: lines}.From(log)
	if err != nil {
		return nil, err
	}
	if info, err := log.Stat(); err == nil {
		from = max(from, info.Size()-maxLog)
	}
	var out bytes.Buffer
	plain := &console.Plain{W: &out}
	deadline := time.Now().Add(writeWait)
	if err := console.Print(plain, log, from, func() bool { return false }); err != nil || time.Now().After(deadline) {
		return nil, err
	}
	return out.Bytes(), plain.Close()
}
