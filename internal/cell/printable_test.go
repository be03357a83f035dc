package cell

import "testing"

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain":           "plain",
		"日本 é":            "日本 é",
		"a\x1b[31mb":      `a\x1b[31mb`,
		"a\tb\nc\r":       `a\x09b\x0ac\x0d`,
		"bad\xff":         `bad\xff`,
		"c1\u009b":        `c1\u{9b}`,
		"rtl\u202eevil":   `rtl\u{202e}evil`,
		"del\x7f":         `del\x7f`,
		"zero\u200bwidth": `zero\u{200b}width`,
		"\u00a0":          `\u{a0}`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestColumns(t *testing.T) {
	for in, want := range map[string]int{"abc": 3, "日本": 4, "e\u0301": 1, "": 0} {
		if got := columns(in); got != want {
			t.Errorf("columns(%q) = %d, want %d", in, got, want)
		}
	}
}
