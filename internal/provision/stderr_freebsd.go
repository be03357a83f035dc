package provision

import (
	"errors"
	"io"
	"os"

	"skep/internal/hypervisor"
	"skep/internal/plan"
)

// stderrFile reads what the hypervisor's standard error adds to its log.
type stderrFile struct {
	f    *os.File
	at   int64
	read hypervisor.Stderr
}

func openStderr(p *plan.Plan) (*stderrFile, error) {
	for _, l := range plan.Specs[*plan.Log](p) {
		if l.Name == "hypervisor-log" {
			f, err := os.Open(l.Path)
			if err != nil {
				return nil, err
			}
			at, err := f.Seek(0, io.SeekEnd)
			return &stderrFile{f: f, at: at}, err
		}
	}
	return nil, errors.New("the plan has no log for the hypervisor")
}

// catchUp reads what is new. A log that was cut is read from its start.
func (s *stderrFile) catchUp() {
	if info, err := s.f.Stat(); err == nil && info.Size() < s.at {
		s.at = 0
	}
	n, _ := io.Copy(&s.read, io.NewSectionReader(s.f, s.at, 1<<20))
	s.at += n
}
