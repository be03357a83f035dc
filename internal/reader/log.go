package reader

import (
	"encoding/json"

	"skep/internal/console"
)

// LogJob is what the reader of logs is asked for. Its file is "log"; with Follow there is "stop" too, a
// pipe whose other end is closed when nothing more will come.
type LogJob struct {
	console.Selection
	Escape bool // show what a terminal would obey
	Follow bool
}

// Args is the job as the reader takes it.
func (j LogJob) Args() ([]string, error) {
	b, err := json.Marshal(j)
	return []string{string(b)}, err
}
