package probe

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/host"

	"github.com/google/go-cmp/cmp"
)

// Homes and XDG directories of two users, 1000 and 1001, and of root.
func owners(path string) (int, error) {
	for prefix, uid := range map[string]int{"/home/a": 1000, "/run/user/1000": 1000, "/home/b": 1001, "/run/user/1001": 1001, "/root": 0, "/etc": 0} {
		if path == prefix || strings.HasPrefix(path, prefix+"/") {
			return uid, nil
		}
	}
	return 0, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
}

func accounts(uid int) (string, error) {
	switch uid {
	case 1000:
		return "/home/a", nil
	case 1001:
		return "/home/b", nil
	case 1002:
		return "", nil
	case 1003:
		return "here", nil
	}
	return "", errors.New("no account")
}

func TestDirs(t *testing.T) {
	a := host.Dirs{Config: "/home/a/.config/skep", State: "/home/a/.local/state/skep", Run: "/home/a/.local/state/skep/run"}
	no := host.Dirs{Config: "/nonexistent/.config/skep", State: "/nonexistent/.local/state/skep", Run: "/nonexistent/.local/state/skep/run"}
	type env = map[string]string
	for name, tt := range map[string]struct {
		euid  int
		env   env
		flags host.Dirs
		want  host.Dirs
		said  string // of the notes or the error
	}{
		"root":                {0, env{"HOME": "/home/a", "XDG_STATE_HOME": "/x"}, host.Dirs{}, host.Dirs{Config: "/etc/skep", State: "/var/lib/skep", Run: "/var/run/skep"}, ""},
		"a user":              {1000, env{"HOME": "/home/a"}, host.Dirs{}, a, ""},
		"a new home":          {1000, env{"HOME": "/new"}, host.Dirs{}, host.Dirs{Config: "/new/.config/skep", State: "/new/.local/state/skep", Run: "/new/.local/state/skep/run"}, ""},
		"no HOME":             {1000, nil, host.Dirs{}, a, ""},
		"HOME, relative":      {1000, env{"HOME": "."}, host.Dirs{}, a, "HOME=. is not used: it is not an absolute path"},
		"HOME of another":     {1000, env{"HOME": "/home/b"}, host.Dirs{}, a, "HOME=/home/b is not used: it belongs to uid 1001, and this is uid 1000"},
		"HOME of root":        {1000, env{"HOME": "/root"}, host.Dirs{}, a, "HOME=/root is not used: it belongs to uid 0, and this is uid 1000"},
		"no account":          {4711, env{"HOME": "/root"}, host.Dirs{}, host.Dirs{Config: "/root/.config/skep", State: "/root/.local/state/skep", Run: "/root/.local/state/skep/run"}, ""},
		"no account, no HOME": {4711, nil, host.Dirs{}, no, "cannot find the home directory of uid 4711"},
		"no account, theirs":  {4711, env{"HOME": "/home/a"}, host.Dirs{}, no, "cannot find the home directory of uid 4711"},
		"account, no home":    {1002, nil, host.Dirs{}, no, "cannot find the home directory of uid 1002"},
		"account, relative":   {1003, nil, host.Dirs{}, no, `its account says "here"`},
		"a session":           {1000, env{"XDG_RUNTIME_DIR": "/run/user/1000"}, host.Dirs{}, host.Dirs{Config: a.Config, State: a.State, Run: "/run/user/1000/skep"}, ""},
		"another's session":   {1000, env{"XDG_RUNTIME_DIR": "/run/user/1001"}, host.Dirs{}, a, "XDG_RUNTIME_DIR=/run/user/1001 is not used: it belongs to uid 1001, and this is uid 1000"},
		"root's session":      {1000, env{"XDG_RUNTIME_DIR": "/root/run"}, host.Dirs{}, a, "XDG_RUNTIME_DIR=/root/run is not used"},
		"a session that went": {1000, env{"XDG_RUNTIME_DIR": "/run/user/77"}, host.Dirs{}, a, "XDG_RUNTIME_DIR=/run/user/77 is not used: file does not exist"},
		"all of XDG":          {1000, env{"XDG_RUNTIME_DIR": "/run/user/1000", "XDG_CONFIG_HOME": "/etc/c", "XDG_STATE_HOME": "/s"}, host.Dirs{}, host.Dirs{Config: "/etc/c/skep", State: "/s/skep", Run: "/run/user/1000/skep"}, ""},
		"XDG of another":      {1000, env{"XDG_CONFIG_HOME": "/home/b/c", "XDG_STATE_HOME": "/home/b/s"}, host.Dirs{}, a, "XDG_CONFIG_HOME=/home/b/c is not used"},
		"XDG, relative":       {1000, env{"XDG_RUNTIME_DIR": "r", "XDG_CONFIG_HOME": "c", "XDG_STATE_HOME": "s"}, host.Dirs{}, a, ""},
		"environment":         {0, env{host.EnvConfigDir: "/c", host.EnvStateDir: "/s", host.EnvRunDir: "/r"}, host.Dirs{}, host.Dirs{Config: "/c", State: "/s", Run: "/r"}, ""},
		"flags win":           {4711, env{host.EnvConfigDir: "/c", host.EnvStateDir: "/s", host.EnvRunDir: "/r"}, host.Dirs{State: "/flag"}, host.Dirs{Config: "/c", State: "/flag", Run: "/r"}, ""},
		"some are given":      {4711, env{host.EnvConfigDir: "/c"}, host.Dirs{}, host.Dirs{Config: "/c", State: no.State, Run: no.Run}, "cannot find the home directory"},
	} {
		o := Options{Dirs: tt.flags, Getenv: func(k string) string { return tt.env[k] }, Account: accounts, Owner: owners}
		got, notes, err := o.settle(host.SystemDirsLinux, tt.euid)
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Error(name, d)
		}
		said := strings.Join(notes, "\n")
		if err != nil {
			said += err.Error()
		}
		if !strings.Contains(said, tt.said) || tt.said == "" && said != "" {
			t.Errorf("%s: said %q, want %q", name, said, tt.said)
		}
		for _, p := range []string{got.Config, got.State, got.Run} {
			if !filepath.IsAbs(p) {
				t.Errorf("%s: %q is below whatever directory the caller stands in", name, p)
			}
		}
	}
	o := Options{Dirs: host.Dirs{State: "here"}, Getenv: func(string) string { return "" }}
	if got, _, _ := o.settle(host.SystemDirsLinux, 0); !strings.HasPrefix(got.State, "/") || !strings.HasSuffix(got.State, "/here") {
		t.Error("a keeper that changes its directory would lose", got.State)
	}
}
