package host

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"skep/internal/fault"
)

func TestDirs(t *testing.T) {
	home := map[string]string{"HOME": "/home/a"}
	for name, tt := range map[string]struct {
		euid  int
		env   map[string]string
		flags Dirs
		want  Dirs
	}{
		"root":          {0, map[string]string{"HOME": "/root", "XDG_STATE_HOME": "/x"}, Dirs{}, Dirs{"/etc/skep", "/var/lib/skep", "/var/run/skep"}},
		"a user":        {1000, home, Dirs{}, Dirs{"/home/a/.config/skep", "/home/a/.local/state/skep", "/home/a/.local/state/skep/run"}},
		"a session":     {1000, map[string]string{"HOME": "/home/a", "XDG_RUNTIME_DIR": "/run/user/1000"}, Dirs{}, Dirs{"/home/a/.config/skep", "/home/a/.local/state/skep", "/run/user/1000/skep"}},
		"all of XDG":    {1000, map[string]string{"HOME": "/home/a", "XDG_RUNTIME_DIR": "/r", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, Dirs{}, Dirs{"/c/skep", "/s/skep", "/r/skep"}},
		"XDG, relative": {1000, map[string]string{"HOME": "/home/a", "XDG_RUNTIME_DIR": "r", "XDG_STATE_HOME": "s"}, Dirs{}, Dirs{"/home/a/.config/skep", "/home/a/.local/state/skep", "/home/a/.local/state/skep/run"}},
		"environment":   {0, map[string]string{EnvConfigDir: "/c", EnvStateDir: "/s", EnvRunDir: "/r"}, Dirs{}, Dirs{"/c", "/s", "/r"}},
		"flags win":     {1000, map[string]string{EnvConfigDir: "/c", EnvStateDir: "/s", EnvRunDir: "/r"}, Dirs{State: "/flag"}, Dirs{"/c", "/flag", "/r"}},
	} {
		o := Options{Dirs: tt.flags, Getenv: func(k string) string { return tt.env[k] }}
		if d := cmp.Diff(tt.want, o.dirs(systemDirsLinux, tt.euid)); d != "" {
			t.Error(name, d)
		}
	}
	o := Options{Dirs: Dirs{State: "here"}, Getenv: func(string) string { return "" }}
	if got := o.dirs(systemDirsLinux, 0).State; !strings.HasPrefix(got, "/") || !strings.HasSuffix(got, "/here") {
		t.Error("a keeper that changes its directory would lose", got)
	}
}

func TestSlots(t *testing.T) {
	for name, tt := range map[string]struct {
		base, count string
		want        Slots // the zero Slots is an error
	}{
		"default":        {"", "", Slots{Count: 1000, UIDBase: 2_100_000_000}},
		"moved":          {"3000000", "50", Slots{Count: 50, UIDBase: 3_000_000}},
		"the last":       {"2147483646", "1", Slots{Count: 1, UIDBase: 2147483646}},
		"past 31 bits":   {"2147483646", "2", Slots{}},
		"users' numbers": {"1000", "", Slots{}},
		"none":           {"", "0", Slots{}},
		"too many":       {"", "30001", Slots{}},
		"negative":       {"-1", "", Slots{}},
		"no number":      {"lots", "", Slots{}},
		"huge":           {"99999999999999999999", "", Slots{}},
	} {
		env := map[string]string{EnvUIDBase: tt.base, EnvUIDCount: tt.count}
		got, err := Options{Getenv: func(k string) string { return env[k] }}.slots()
		if tt.want.Count == 0 {
			if fault.CodeOf(err) != fault.Input {
				t.Error(name, got, err)
			}
			continue
		}
		if d := cmp.Diff(tt.want, got); err != nil || d != "" {
			t.Error(name, err, d)
		}
	}
}
