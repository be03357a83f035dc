package cell

import (
	"io"
	"strings"
	"testing"
)

// TestHostileFiles is about files made to use up the parser's stack or time. The
// first of them ended the process before there was a bound on tokens.
func TestHostileFiles(t *testing.T) {
	for name, src := range map[string]string{
		"splats":      "a = a" + strings.Repeat("[*]", 340_000),
		"attributes":  "cell \"x\" {\n" + strings.Repeat("a = 1\n", 150_000) + "}",
		"units":       strings.Repeat("a = 16G\n", 100_000),
		"brackets":    "a = " + strings.Repeat("[", 100_000),
		"conditions":  "a = " + strings.Repeat("1?1:", 4_900) + "1",
		"signs":       "a = " + strings.Repeat("-", 19_000) + "1",
		"few splats":  "a = a" + strings.Repeat("[*]", 6_500),
		"one line":    "cell \"x\" {\n after = [" + strings.Repeat("1,", 9_900) + "]\n}",
		"templates":   `a = "` + strings.Repeat("${", 10_000),
		"blocks":      strings.Repeat("a {\n", 190),
		"one word":    strings.Repeat("a", maxFile),
		"zero bytes":  strings.Repeat("\x00", 10_000),
		"heredocs":    strings.Repeat("a = <<X\n", 10_000),
		"open quotes": strings.Repeat("a = \"\n", 5_000),
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := Parse("x", []byte(src))
			if len(diags) == 0 {
				t.Error("accepted")
			}
			if err := diags.Render(io.Discard, []byte(src)); err != nil {
				t.Error(err)
			}
		})
	}
}
