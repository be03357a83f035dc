package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// rule allows one test, or those of a pattern, to be skipped where everything is there.
type rule struct {
	pkg, test string
	user      bool // only for whoever is not root
}

func (r rule) matches(s skip) bool {
	if r.pkg != s.pkg || r.user && os.Geteuid() == 0 {
		return false
	}
	ok, err := path.Match(r.test, s.test)
	return err == nil && ok
}

// readSkips reads lines of a package, a test's name in which * stands for anything but a slash, and
// the reason behind a #; with "user" in front a line counts only for whoever is not root. A line without a reason is refused: it is what the list is for.
func readSkips(file string) ([]rule, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var rules []rule
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		what, why, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(what)
		if len(words) == 0 {
			continue
		}
		user := words[0] == "user"
		if user {
			words = words[1:]
		}
		if len(words) != 2 || strings.TrimSpace(why) == "" {
			return nil, fmt.Errorf("%s:%d: want PACKAGE TEST # REASON", file, n)
		}
		if _, err := path.Match(words[1], ""); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, n, err)
		}
		rules = append(rules, rule{words[0], words[1], user})
	}
	return rules, lines.Err()
}
