package inside

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"skep/internal/console"
	"skep/internal/reader"
	"skep/internal/tool"
)

// followWait is how often a log that is followed is looked at.
const followWait = 200 * time.Millisecond

func printLog(in tool.Inside) error {
	var j reader.LogJob
	log := in.Files["log"]
	if len(in.Args) != 1 || log == nil {
		return errors.New("a job and a log are needed")
	}
	if err := json.Unmarshal([]byte(in.Args[0]), &j); err != nil {
		return err
	}
	from, err := j.From(log)
	if err != nil {
		return err
	}
	more := func() bool { return false }
	if j.Follow {
		more = until(in.Files["stop"], in.Flush)
	}
	if !j.Escape {
		return console.Print(in.Out, log, from, more)
	}
	plain := &console.Plain{W: in.Out}
	return errors.Join(console.Print(plain, log, from, more), plain.Close())
}

// until says yes, a little later, until the pipe's other end is closed. What was printed until then is to be
// seen meanwhile.
func until(stop *os.File, flush func() error) func() bool {
	var over atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, stop)
		over.Store(true)
	}()
	return func() bool {
		if flush() != nil || over.Load() {
			return false
		}
		time.Sleep(followWait)
		return true
	}
}
