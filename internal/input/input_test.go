package input

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// written is a list of steps as the tests write it: +key, -key, and . for a rest.
func written(steps []Step) string {
	var all []string
	for _, s := range steps {
		text := s.Key
		switch {
		case s.Button != "":
			text = s.Button
		case s.Key == "":
			text = fmt.Sprintf("%d,%d", s.X, s.Y)
		}
		if s.Key+s.Button != "" {
			text = map[bool]string{true: "+", false: "-"}[s.Down] + text
		}
		if s.Rest {
			text += "."
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func TestText(t *testing.T) {
	for _, tt := range []struct{ layout, text, want string }{
		{"us", "aA", "+a -a. +shift +a -a -shift."},
		{"us", "y\n", "+y -y. +ret -ret."},
		{"de", "y", "+z -z."},
		{"de", "@", "+alt_r +q -q -alt_r."},
		{"de", "^", "+grave_accent -grave_accent. +spc -spc."},
		{"fr", "a1", "+q -q. +shift +1 -1 -shift."},
		{"fr", "^", "+alt_r +9 -9 -alt_r."}, // not the dead one
		{"uk", `\|`, "+less -less. +shift +less -less -shift."},
		{"es", "ñ", "+semicolon -semicolon."},
	} {
		steps, err := Text(tt.layout, tt.text)
		if got := written(steps); err != nil || got != tt.want {
			t.Errorf("%s %q: %q, %v, want %q", tt.layout, tt.text, got, err, tt.want)
		}
	}
	for _, tt := range []struct{ layout, text, want string }{
		{"us", "aé", `character 2, 'é', is not on the layout "us"`},
		{"us", "\x1b", "character 1"},
		{"us", "\xff", "not UTF-8"},
		{"klingon", "a", `no layout "klingon"; there are de, es, fr, uk, us`},
	} {
		if steps, err := Text(tt.layout, tt.text); err == nil || !strings.Contains(err.Error(), tt.want) || steps != nil {
			t.Errorf("%s %q: %v, %v", tt.layout, tt.text, steps, err)
		}
	}
}

// Each layout types all of ASCII that can be printed, with keys that there are, and no row is longer than
// its keys.
func TestLayouts(t *testing.T) {
	for name, l := range layouts {
		for i := range rows {
			keys := strings.Fields(rows[i])
			for _, row := range []string{l.plain[i], l.shift[i], l.altgr[i]} {
				if n := utf8.RuneCountInString(row); n > len(keys) {
					t.Fatalf("%s, row %d: %d characters for %d keys", name, i, n, len(keys))
				}
			}
			if n := utf8.RuneCountInString(l.plain[i]); n != len(keys) {
				t.Errorf("%s, row %d: %d characters for %d keys", name, i, n, len(keys))
			}
		}
		for r := rune(' '); r < 0x7f; r++ {
			if steps, err := Text(name, string(r)); err != nil || !Valid(steps) {
				t.Errorf("%s: %v, %v", name, err, steps)
			}
		}
	}
}

func TestChord(t *testing.T) {
	for chord, want := range map[string]string{
		"ctrl-alt-del": "+ctrl +alt +delete -delete -alt -ctrl.",
		"Enter":        "+ret -ret.",
		"win-r":        "+meta_l +r -r -meta_l.",
		"minus":        "+minus -minus.",
	} {
		steps, err := Chord(chord)
		if got := written(steps); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", chord, got, err, want)
		}
	}
	for _, chord := range []string{"", "-", "ctrl-", "ctrl-alt-nosuch", "a-b-c-d-e-f-g", "é"} {
		if steps, err := Chord(chord); err == nil {
			t.Errorf("%q: %s", chord, written(steps))
		}
	}
}

func TestClick(t *testing.T) {
	steps, err := Click(3, 4, "left", true)
	if got := written(steps); err != nil || got != "3,4. +left. -left. +left. -left." || !Points(steps) {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []struct {
		x, y   int
		button string
	}{{-1, 0, "left"}, {0, MaxSide, "left"}, {0, 0, "third"}} {
		if steps, err := Click(bad.x, bad.y, bad.button, false); err == nil {
			t.Errorf("%+v: %s", bad, written(steps))
		}
	}
}

// What comes over the control socket is nothing else than what this package makes.
func TestValid(t *testing.T) {
	for _, bad := range [][]Step{nil, {{Key: "nosuch"}}, {{Button: "fourth"}}, {{X: -1}}, {{Key: "a", Button: "left"}}, make([]Step, MaxSteps+1)} {
		if Valid(bad) {
			t.Errorf("%v is valid", bad)
		}
	}
	if Points([]Step{{Key: "a"}}) {
		t.Error("a key is a pointer")
	}
}
