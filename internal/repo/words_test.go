package repo

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// privateWords are words that this project used for things which have a name of their own already.
// They stay out of names, comments, messages and documents.
var privateWords = []struct{ word, instead string }{
	{"taker", "provisioner"},
	{"takers", "provisioners"},
	{"happening", "event"},
	{"happenings", "events"},
	{"cradle", "clone thread"},
	{"nest", "empty mount namespace"},
	{"mates", "other processes"},
	{"loosen", "relax"},
	{"loosens", "relaxes"},
	{"loosened", "relaxed"},
	{"loosening", "relaxation"},
	{"loosenings", "relaxations"},
	{"mend", "fix"},
	{"mends", "fixes"},
	{"mended", "fixed"},
	{"mending", "fixing"},
	{"vouch", "confirm; an audit passes or fails"},
	{"vouches", "confirms"},
	{"deaf", "unresponsive"},
	{"deafen", "ignore"},
	{"untold", "unknown"},
	{"in reach", "accessible"},
	{"within reach", "accessible"},
}

// exempt are the places where such a word may stand.
var exempt = []struct {
	path, text *regexp.Regexp // text: only this of the line; nil: all of the file
	why        string
}{
	{regexp.MustCompile(`^internal/repo/words_test\.go$`), nil, "the list itself"},
	{regexp.MustCompile(`^(internal|docs|man|CHANGELOG)`), regexp.MustCompile(`"(loosenings|mend)(,omitempty)?"`),
		"keys of JSON that programs read stay as they are"},
}

// mayHold is a quick look whether a line can hold any of the words.
func mayHold(line string) bool {
	for _, stem := range []string{"aker", "appening", "radle", "est", "ates", "oosen", "end", "ouch", "eaf", "ntold", "each"} {
		if strings.Contains(line, stem) {
			return true
		}
	}
	return false
}

// joined finds where a name is joined of words: before the T of bsdTaker, and of KVMTaker.
var joined = regexp.MustCompile(`([a-z])([A-Z])|([A-Z])([A-Z][a-z])`)

// notLetters are what is between words.
var notLetters = regexp.MustCompile(`[^a-z]+`)

// words are the lower-case words of a text with one space around each, those of joined names apart.
func words(text string) string {
	text = joined.ReplaceAllString(text, "$1$3 $2$4")
	return " " + strings.TrimSpace(notLetters.ReplaceAllString(strings.ToLower(text), " ")) + " "
}

func TestWords(t *testing.T) {
	if got := words("the bsdTaker's look_up, KVMTaker: in-reach"); got != " the bsd taker s look up kvm taker in reach " {
		t.Fatalf("%q", got)
	}
	used := make([]bool, len(exempt))
	walk(t, func(path string) {
		text := read(t, path)
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) || strings.HasPrefix(path, "internal/audit/testdata/") {
			return // a picture, a program or what a machine once answered
		}
		for n, line := range strings.Split(path+"\n"+text, "\n") {
			if !mayHold(line) {
				continue
			}
			for i, e := range exempt {
				if !e.path.MatchString(path) {
					continue
				}
				if e.text == nil {
					used[i], line = true, ""
				} else if e.text.MatchString(line) {
					used[i], line = true, e.text.ReplaceAllString(line, "")
				}
			}
			have := words(line)
			for _, w := range privateWords {
				if strings.Contains(have, " "+w.word+" ") {
					t.Errorf("%s:%d: %q: say %s", path, n, w.word, w.instead)
				}
			}
		}
	})
	for i, e := range exempt {
		if !used[i] {
			t.Errorf("the exemption of %s %s is needed no more", e.path, e.text)
		}
	}
}
