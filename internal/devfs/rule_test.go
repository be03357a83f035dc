package devfs

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseRule(t *testing.T) {
	for _, tc := range []struct {
		words string
		want  string // printed again, or ! and a part of the error
	}{
		{"hide", "hide"},
		{"100 hide", "100 hide"},
		{"path vmm unhide", "path vmm unhide"},
		{"type mem type disk hide", "type disk type mem hide"},
		{"path tap0 unhide mode u=rw user 1001 group 0", "path tap0 unhide user 1001 group 0 mode 600"},
		{"path x mode 0660", "path x mode 660"},
		{"path x mode +r", "path x mode 444"},
		{"path x mode rw", "!invalid mode"},
		{"path x mode +w", "path x mode 200"},
		{"path x mode a=rw,o-w", "path x mode 664"},
		{"path x mode 0888", "!invalid mode"},
		{"include 4", "include 4"},
		{"include 0", "!never exists"},
		{"include jail", "!not the number of a rule set"},
		{"include", "!has no value"},
		{"unhide path vmm", "!conditions come first"},
		{"path vmm show", "!neither a condition nor an action"},
		{"type net hide", "!not a type"},
		{"", "!empty"},
		{"path " + strings.Repeat("x", 200) + " hide", "!longer than"},
	} {
		r, err := ParseRule(strings.Fields(tc.words))
		if part, bad := strings.CutPrefix(tc.want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("ParseRule(%q) = %v, %v; want error with %q", tc.words, r, err, part)
			}
		} else if err != nil || r.String() != tc.want {
			t.Errorf("ParseRule(%q) = %q, %v; want %q", tc.words, r, err, tc.want)
		}
	}
}

func TestParseShow(t *testing.T) {
	set, err := ParseShow(25, "100 include 4\n200 path vmm unhide\n300 type tape path sa* group operator mode 640\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []Rule{
		{Number: 100, Include: 4},
		{Number: 200, HasPath: true, Path: "vmm", Unhide: true},
		{Number: 300, Types: Tape, HasPath: true, Path: "sa*", Group: "operator", HasMode: true, Mode: 0o640},
	}
	if !reflect.DeepEqual(set.Rules, want) {
		t.Errorf("rules %+v\nwant  %+v", set.Rules, want)
	}
	for _, bad := range []string{"path vmm unhide\n", "100 path a b unhide\n", "100 hide\n100 hide\n"} {
		if _, err := ParseShow(1, bad); err == nil {
			t.Errorf("ParseShow(%q) passed", bad)
		}
	}
}

// What ParseRule accepts and prints, it accepts again, unchanged.
func FuzzParseShow(f *testing.F) {
	f.Add("100 hide\n200 path vmm/* unhide user 0\n")
	f.Add("65535 type disk type mem path [ hide unhide mode 4755 include 9")
	f.Fuzz(func(t *testing.T, text string) {
		set, err := ParseShow(7, text)
		if err != nil {
			return
		}
		var lines []string
		for _, r := range set.Rules {
			lines = append(lines, r.String())
		}
		again, err := ParseShow(7, strings.Join(lines, "\n"))
		if err != nil || !reflect.DeepEqual(again, set) {
			t.Errorf("%q became %q: %v", text, lines, err)
		}
	})
}
