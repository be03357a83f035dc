package jailconf

import (
	"os"
	"path/filepath"
	"strings"
)

// The bounds of includes: jail(8)'s own for the depth, and one on their number,
// which doubles where two files include each other.
const (
	maxIncludeDepth = 32
	maxIncludes     = 1000
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

func (p *parser) includes(st *param) {
	for _, v := range st.values {
		pattern, ok := v.plain()
		if !ok {
			p.fail(v.pos, "the name of an included file cannot hold variables")
			continue
		}
		if p.include == nil {
			p.fail(v.pos, "%q cannot be included here", pattern)
			continue
		}
		if p.depth >= maxIncludeDepth {
			p.fail(v.pos, "files include each other more than %d deep", maxIncludeDepth)
			continue
		}
		files, err := p.include(p.lex.file, pattern)
		if err != nil {
			p.fail(v.pos, "cannot include %q: %v", pattern, err)
			continue
		}
		if len(files) == 0 {
			p.config.unmatched = append(p.config.unmatched, &Error{v.pos, pattern})
		}
		for _, f := range files {
			if p.included++; p.included > maxIncludes {
				p.fail(v.pos, "more than %d files are included", maxIncludes)
				return
			}
			p.depth++
			p.parse(f)
			p.depth--
		}
	}
}
