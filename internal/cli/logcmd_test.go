package cli

import (
	"os"
	"strings"
	"testing"
	"time"

	"skep/internal/console"
	"skep/internal/fault"
)

// log begins where it is asked to: at the last start, at the one of a time, or
// a number of lines before the end.
func TestLogFrom(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir+"/state/cells/web/console.log", "")
	write(t, dir+"/state/cells/web/last.json", `{"version":1,"state":"stopped","since":"2026-11-30T12:00:00Z"}`)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, said := range []string{"one\n", "two\nmore\n", "three"} {
		if err := console.MarkStart(f, time.Date(2026, 11, 30, 9+i, 0, 0, 0, time.UTC)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(said); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"":                             "09: one 10: two more 11: three",
		"--last":                       "11: three",
		"--tail 1":                     "three",
		"-n 3":                         "more 11: three",
		"--tail 0":                     "",
		"--last --tail 100":            "11: three",
		"--since 2026-11-30T10:30:00Z": "10: two more 11: three",
		"--since 2026-11-30T11:00:00Z": "11: three",
		"--since 2026-11-29T00:00:00Z": "09: one 10: two more 11: three",
		"--since 2026-11-30T12:30:00Z": "", // it had ended
	} {
		s := skepIn(t, dir, append(append([]string{"log"}, strings.Fields(args)...), "web")...).want(t, fault.OK)
		var words []string
		for _, line := range strings.Split(strings.TrimSuffix(s.out, "\n"), "\n") {
			if at, ok := strings.CutPrefix(line, "[skep: started 2026-11-30T"); ok {
				line = at[:2] + ":"
			}
			words = append(words, line)
		}
		if got := strings.Join(words, " "); got != want {
			t.Errorf("log %s: %q, want %q", args, got, want)
		}
	}
	skepIn(t, dir, "log", "--since", "yesterday", "web").want(t, fault.Input, `"yesterday"`)
	skepIn(t, dir, "log", "--since", "1h", "--last", "web").want(t, fault.Input, "--last cannot be combined with --since")
	skepIn(t, dir, "log", "--tail", "-2", "web").want(t, fault.Input)
	skepIn(t, dir, "log", "--hypervisor", "--last", "web").want(t, fault.Input, "--hypervisor cannot be combined with")
}

func TestTimeOf(t *testing.T) {
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	if at, err := timeOf("90m", now); err != nil || !at.Equal(now.Add(-90*time.Minute)) {
		t.Error(at, err)
	}
	if at, err := timeOf("2026-11-30 07:00", now); err != nil || at.Location() != time.Local || at.Hour() != 7 {
		t.Error(at, err)
	}
	for _, bad := range []string{"", "-1h", "soon", "2026-13-01"} {
		if at, err := timeOf(bad, now); err == nil {
			t.Errorf("%q is %s", bad, at)
		}
	}
}
