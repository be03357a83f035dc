package jailconf

import (
	"os"
	"path/filepath"
	"strings"
)

// FromDisk is an Include that reads files. A name that is not absolute is
// relative to the directory of the file that includes it.
func FromDisk(from, pattern string) ([]Source, error) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(from), pattern)
	}
	names := []string{pattern}
	if strings.ContainsAny(pattern, "*?[") {
		var err error
		if names, err = filepath.Glob(pattern); err != nil {
			return nil, err
		}
	}
	var files []Source
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, Source{name, string(text)})
	}
	return files, nil
}
