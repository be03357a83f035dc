package cell

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
)

// closest is the candidate that was most likely meant by word, or "".
func closest(word string, candidates []string) string {
	word = strings.ToLower(word)
	best, distance := "", 3
	if len(word) < 5 {
		// In a short word two slips leave little of it.
		distance = 2
	}
	for _, c := range candidates {
		d := levenshtein.Distance(word, strings.ToLower(c), nil)
		if d == 2 && sameLetters(word, strings.ToLower(c)) {
			// Two letters that changed places are one slip.
			d = 1
		}
		if d < distance {
			best, distance = c, d
		}
	}
	return best
}

func sameLetters(a, b string) bool {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return bytes.Equal(x, y)
}

// didYouMean is the hint that names one replacement.
func didYouMean(s string) string {
	if s == "" {
		return ""
	}
	return "did you mean " + s + "?"
}

// oneOf lists what may be written: `"a", "b" or "c"`.
func oneOf(words []string) string { return enumerate(inQuotes(words), "or") }

func inQuotes(words []string) []string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	return quoted
}

// enumerate joins words as prose does.
func enumerate(words []string, last string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " " + last + " " + words[n-1]
	}
}

// Closest is the candidate that was most likely meant by word, or "".
func Closest(word string, candidates []string) string { return closest(word, candidates) }
