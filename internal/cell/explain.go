package cell

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"github.com/hashicorp/hcl/v2"
)

// unquoted finds a value on a line that needs quotes and has none.
var unquoted = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`=\s*([0-9]+(?:\.[0-9]+)?[A-Za-z%]+|[~.]?/[^\s"{},]*|[0-9a-f]+(?:[.:][0-9a-f]+){2,}[:0-9]*)\s*}?\s*$`)
})

// explain puts what HCL has to say about a file into the words of this program.
func (r *reader) explain(d *hcl.Diagnostic, rng hcl.Range) (summary, hint string) {
	line := r.line(rng.Start)
	if g := unquoted().FindSubmatch(line); g != nil && d.Summary != redefined {
		return "cannot read this line: text must be in quotes", `did you mean "` + string(g[1]) + `"?`
	}
	switch d.Summary {
	case redefined:
		name := r.text(rng)
		return name + " is set twice in this block", "keep one of the two"
	case "Invalid single-argument block definition":
		if at := rng.Start.Byte; at < len(r.src) && (r.src[at] == '\n' || r.src[at] == '\r') {
			return "cannot read this block: a block that starts on one line must end on it", "start a new line after {"
		}
		return "cannot read this block: a block on one line can hold only one attribute",
			"put each attribute on its own line, without commas"
	case "Unclosed configuration block", "Unclosed configuration body":
		return "cannot read this block: the closing } is missing", ""
	case "Unexpected comma after argument":
		return "cannot read this line: attributes are not separated by commas", "put each attribute on its own line"
	case "Missing newline after argument":
		if at := rng.Start.Byte; at < len(r.src) && r.src[at] == '}' {
			return "cannot read this line: the closing } must be on its own line", ""
		}
		return "cannot read this line: unexpected text after the value", "put each attribute on its own line, without commas"
	case "Missing newline after block definition":
		return "cannot read this line: unexpected text after the block", "start a new line after }"
	case "Invalid multi-line string", "Unterminated template string", "Unterminated string literal":
		return "cannot read this text: the closing quote is missing", ""
	case "Argument or block definition required":
		return "cannot read this line: expected name = value or a block", ""
	case "Invalid block definition":
		return "cannot read this block: expected a type, a name in quotes and { on one line", ""
	case "Invalid expression", "Missing expression", "Missing attribute value":
		return "cannot read this line: a value is missing", ""
	case "Invalid character":
		if strings.Contains(d.Detail, "Single quotes") {
			return "cannot read this line: text must be in double quotes", ""
		}
		return "cannot read this line: unexpected character outside of quotes", ""
	case "Invalid character encoding":
		return "cannot read this text: not UTF-8", ""
	}
	// HCL's sentences are good ones; they only begin and end in another style.
	detail := strings.TrimRight(firstSentence(d.Detail), ".")
	if detail == "" {
		detail = lower(d.Summary)
	}
	return "cannot read this line: " + lower(detail), ""
}

// line is the text of the line that p is on.
func (r *reader) line(p hcl.Pos) []byte {
	at := min(max(p.Byte, 0), len(r.src))
	start := bytes.LastIndexByte(r.src[:at], '\n') + 1
	if end := bytes.IndexByte(r.src[start:], '\n'); end >= 0 {
		return r.src[start : start+end]
	}
	return r.src[start:]
}

func firstSentence(s string) string {
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i]
	}
	return s
}

func lower(s string) string {
	if s != "" && unicode.IsUpper(rune(s[0])) {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
