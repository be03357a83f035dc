package audit

import (
	"path/filepath"

	"skep/internal/layout"
	"skep/internal/plan"
)

// What the files of a service are there for.
const (
	ownRecord = "record" // it is written to
	ownAnswer = "answer" // it is read
	ownLog    = "log"    // its last words go there
)

// serviceFiles are the files of a network or a capture, by what they are there for.
func serviceFiles(spec plan.Spec) map[string]string {
	files := map[string]string{}
	record := func(paths ...string) {
		for _, p := range paths {
			files[ownRecord+" "+p] = p
		}
	}
	capture := func(base string) {
		both := layout.Captures(base)
		record(both[:]...)
	}
	switch s := spec.(type) {
	case *plan.Network:
		record(s.Log, layout.OlderHalf(s.Log))
		if s.Capture != "" {
			capture(s.Capture)
		}
		for _, a := range s.Answers {
			files[ownAnswer+" "+a.File] = a.File
		}
	case *plan.Capture:
		capture(s.Path)
	case *plan.TPM:
		record(s.State)
		log := filepath.Join(filepath.Dir(s.State), layout.HypervisorLog)
		files[ownLog+" "+log] = log
	}
	return files
}
