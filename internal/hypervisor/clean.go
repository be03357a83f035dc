package hypervisor

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText bounds what is kept of one text of a hypervisor's.
const MaxText = 256 // of one string that is kept

// with nothing in it that moves a cursor.
func Clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		if b.Len()+utf8.UTFMax > MaxText {
			break
		}
		if !unicode.IsPrint(r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}
