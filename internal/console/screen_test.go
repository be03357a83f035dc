package console

import (
	"bytes"
	"strings"
	"testing"
)

// through writes a guest's stream in pieces of every size and returns what the
// terminal gets, which is the same each time, and what makes it right again.
func through(t *testing.T, stream string) (passed, restore string, s *Screen) {
	t.Helper()
	for _, size := range []int{len(stream), 1, 2, 3, 7} {
		var out bytes.Buffer
		s = &Screen{W: &out, Rows: func() int { return 3 }}
		for rest := stream; rest != ""; {
			n := min(max(size, 1), len(rest))
			if _, err := s.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if size < len(stream) && out.String() != passed {
			t.Errorf("%q in pieces of %d: %q, whole: %q", stream, size, out.String(), passed)
		}
		passed = out.String()
	}
	return passed, s.Restore(), s
}

const pushed = "\x1b[9999;1H\n\n\n\x1b[H"

// What reaches the terminal of what a guest writes.
func TestScreenPasses(t *testing.T) {
	soft := (&Screen{}).soft()
	for name, tt := range map[string]struct{ in, want string }{
		"text":                    {"héllo\r\nwörld", "héllo\r\nwörld"},
		"colours":                 {"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"},
		"SeaBIOS begins":          {"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS", soft + "\x1b[?7l\x1b[0mSeaBIOS"},
		"SeaBIOS boots":           {"EDD o\x1bc\x1b[?7l\x1b[2J[ 0.0", "EDD o" + soft + "\r\n\x1b[?7l[ 0.0"},
		"placed, then cleared":    {"a\x1b[H\x1b[2Jb", "a" + pushed + "\x1b[H\x1b[2Jb"},
		"placed once only":        {"\x1b[2;2Ha\x1b[Hb", pushed + "\x1b[2;2Ha\x1b[Hb"},
		"placed, then reset":      {"\x1b[2;2Ha\x1bc", pushed + "\x1b[2;2Ha" + soft + "\x1b[H\x1b[2J"},
		"cleared above":           {"\x1b[1Ja", pushed + "\x1b[1Ja"},
		"cleared below":           {"\x1b[Ja\x1b[0J", "\x1b[Ja\x1b[0J"},
		"scrolling region":        {"\x1b[2;3ra", pushed + "\x1b[2;3ra"},
		"alternate screen":        {"\x1b[?1049h\x1b[H\x1b[2Jx\x1b[?1049l", "\x1b[?1049h\x1b[H\x1b[2Jx\x1b[?1049l"},
		"what is above it":        {"\x1b[3Ja\x1b[H\x1b[3Jb", "a" + pushed + "\x1b[Hb"},
		"132 columns":             {"\x1b[?3ha\x1b[?3;7lb", "a\x1b[?7lb"},
		"window":                  {"\x1b[2ta\x1b[8;5;5tb\x1b[23;0tc\x1b[18t", "abc\x1b[18t"},
		"printer":                 {"\x1b[5ia\x1b[?5i", "a"},
		"title":                   {"\x1b]0;t\x07a", "\x1b]0;t\x1b\\a"},
		"title, cancelled":        {"\x1b]0;t\x18a", "\x1b]0;t\x18a"},
		"C1 as UTF-8":             {"\u009b2Ja\u009b31m", "a\x1b[31m"},
		"U+00A9 and U+0080":       {"©\u0080", "©\x1b@"},
		"control inside":          {"\x1b[3\n1m", "\n\x1b[31m"},
		"cancelled":               {"\x1b[3\x18a", "a"},
		"begun twice":             {"\x1b[3\x1b[1ma", "\x1b[1ma"},
		"endless":                 {"\x1b[" + strings.Repeat("1;", 200) + "m", strings.Repeat("1;", 200)[longest+1:] + "m"},
		"a string that goes on":   {"\x1bPq" + strings.Repeat("x", 2*longest) + "\x1b\\a", "\x1bPq" + strings.Repeat("x", 2*longest) + "\x1b\\a"},
		"a string, then another":  {"\x1b]2;t\x1b[1ma", "\x1b]2;t\x1b\\\x1b[1ma"},
		"a sequence at the end":   {"a\x1b[3", "a"},
		"selective erase of all":  {"\x1b[?2Ja", "a"},
		"a test pattern":          {"\x1b#8", pushed + "\x1b#8"},
		"half of a character, C2": {"\xc2", ""},
	} {
		if got, _, _ := through(t, tt.in); got != tt.want {
			t.Errorf("%s: %q\n became %q\n   want %q", name, tt.in, got, tt.want)
		}
	}
}

// What a guest changed is taken back, and nothing is written where nothing was.
func TestScreenRestore(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want []string // in this order
	}{
		"wrap and cursor":    {"\x1b[?7l\x1b[?25l", []string{"\x1b[?7h", "\x1b[?25h"}},
		"colours":            {"\x1b[31;44m", []string{"\x1b[0m"}},
		"alternate screen":   {"\x1b[?1049h", []string{"\x1b[?1049l"}},
		"the older one":      {"\x1b[?47h", []string{"\x1b[?47l"}},
		"mouse":              {"\x1b[?1000h\x1b[?1003;1006h", []string{"\x1b[?1000l", "\x1b[?1003l", "\x1b[?1006l"}},
		"a mode of tomorrow": {"\x1b[?4711h", []string{"\x1b[?4711l"}},
		"scrolling region":   {"\x1b[2;3r", []string{"\x1b7\x1b[r\x1b8", "\x1b[9999;1H\r\n"}},
		"origin":             {"\x1b[?6h", []string{"\x1b[?6l", "\x1b[9999;1H\r\n"}},
		"line drawing":       {"\x1b(0", []string{"\x1b(B", "\x0f"}},
		"shift out":          {"\x0e", []string{"\x0f"}},
		"insert":             {"\x1b[4h", []string{"\x1b[4l"}},
		"keyboard lock":      {"\x1b[2h", []string{"\x1b[2l"}},
		"keypad":             {"\x1b=\x1b[?1h", []string{"\x1b[?1l", "\x1b>"}},
		"keyboard protocols": {"\x1b[>4;2m\x1b[>1u", []string{"\x1b[>4m", "\x1b[=0u"}},
		"shape of cursor":    {"\x1b[3 q", []string{"\x1b[0 q"}},
		"tabs":               {"\x1b[3g", []string{"\x1b[3g\x1b[8C\x1bH"}},
		"palette":            {"\x1b]4;1;red\x07\x1b]11;blue\x07", []string{"\x1b]104\x1b\\", "\x1b]111\x1b\\"}},
		"link":               {"\x1b]8;;http://x\x07", []string{"\x1b]8;;\x1b\\"}},
		"not UTF-8":          {"\x1b%@", []string{"\x1b%G"}},
		"a string's middle":  {"\x1b]52;c;AAAA", []string{"\x18", "\x1b\\"}},
		"title":              {"\x1b]2;x\x07", []string{"\x1b[23;0t"}},
		"in a line":          {"\x1b[mabc", []string{"\x1b[0m", "\r\n"}},
	} {
		_, rest, _ := through(t, tt.in)
		for _, w := range tt.want {
			_, after, found := strings.Cut(rest, w)
			if !found {
				t.Errorf("%s: %q is not in %q", name, w, rest)
			}
			rest = after
		}
	}
	if _, r, _ := through(t, "plain text\r\n"); r != end {
		t.Errorf("nothing to take back but the title: %q", r)
	}
	if _, r, _ := through(t, "plain text"); r != end+"\r\n" {
		t.Errorf("a line of one's own: %q", r)
	}
}

// A question to the terminal is seen as one; it is better to see one too many.
func TestScreenQueried(t *testing.T) {
	for _, q := range []string{"\x1b[6n", "\x1b[?6n", "\x1b[c", "\x1b[>c", "\x1b[=c", "\x1bZ", "\x05", "\x1b[>q", "\x1b[?7$p", "\x1b[18t", "\x1b[21t", "\x1b[x",
		"\x1bP$qm\x1b\\", "\x1bP+q544e\x1b\\", "\x1b]52;c;?\x07", "\x1b]11;?\x07", "\x1b]4;1;?\x07", "\x1b[?u", "\x1b[1;1;1;1;1;1*y", "\u009b6n", "\x1b_Ga=q;\x1b\\"} {
		if _, _, s := through(t, q); !s.Queried() {
			t.Errorf("%q is a question", q)
		}
	}
	for _, no := range []string{"text\r\n", "\x1b[31m", "\x1b]0;title\x07", "\x1b[?7l\x1b[2J", "\x1bc", "\x1b[2;3r", "\x1b]11;red\x07"} {
		if _, _, s := through(t, no); s.Queried() {
			t.Errorf("%q is no question", no)
		}
	}
}

func FuzzScreen(f *testing.F) {
	f.Add([]byte("\x1bc\x1b[?7l\x1b[2J\x1b]0;t\x07\xc2\x9b6n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		s := &Screen{W: &out}
		_, _ = s.Write(in)
		for _, never := range []string{"\x1bc", "\x1b[3J", "\x1b[?3h", "\u009b"} {
			if bytes.Contains(out.Bytes(), []byte(never)) {
				t.Fatalf("%q passes in %q", never, out.Bytes())
			}
		}
		s.Restore()
	})
}

// Of what was said some time ago a terminal is shown everything and obeys
// nothing.
func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"a\r\nb\tc\n":                     "a\nb\tc\n",
		"a\r\r\nb":                        "a\nb",
		"x\ry":                            `x\x0dy`,
		"\x1b]0;title\x07\x1b[6n":         `\x1b]0;title\x07\x1b[6n`,
		"\x1b[?1049h\x1bP$qm\x1b\\":       `\x1b[?1049h\x1bP$qm\x1b\`,
		"\u009b6n\u202e":                  `\u{9b}6n\u{202e}`,
		"\x9b6n\xff":                      `\x9b6n\xff`,
		"h\u00e9 \u65e5\u672c \U0001f41d": "h\u00e9 \u65e5\u672c \U0001f41d",
		"\xe6\x97":                        `\xe6\x97`,
	} {
		for size := 1; size <= len(in); size++ {
			var out bytes.Buffer
			p := &Plain{W: &out}
			for rest := in; rest != ""; {
				n := min(size, len(rest))
				_, _ = p.Write([]byte(rest[:n]))
				rest = rest[n:]
			}
			p.Close()
			if out.String() != want {
				t.Errorf("%q in pieces of %d: %q, want %q", in, size, out.String(), want)
			}
		}
	}
}
