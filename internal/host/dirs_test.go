package host

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

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
	a := Dirs{"/home/a/.config/skep", "/home/a/.local/state/skep", "/home/a/.local/state/skep/run"}
	no := Dirs{"/nonexistent/.config/skep", "/nonexistent/.local/state/skep", "/nonexistent/.local/state/skep/run"}
	type env = map[string]string
	for name, tt := range map[string]struct {
		euid  int
		env   env
		flags Dirs
		want  Dirs
		said  string // of the notes or the error
	}{
		"root":                {0, env{"HOME": "/home/a", "XDG_STATE_HOME": "/x"}, Dirs{}, Dirs{"/etc/skep", "/var/lib/skep", "/var/run/skep"}, ""},
		"a user":              {1000, env{"HOME": "/home/a"}, Dirs{}, a, ""},
		"a new home":          {1000, env{"HOME": "/new"}, Dirs{}, Dirs{"/new/.config/skep", "/new/.local/state/skep", "/new/.local/state/skep/run"}, ""},
		"no HOME":             {1000, nil, Dirs{}, a, ""},
		"HOME, relative":      {1000, env{"HOME": "."}, Dirs{}, a, "HOME=. is not used: it is not an absolute path"},
		"HOME of another":     {1000, env{"HOME": "/home/b"}, Dirs{}, a, "HOME=/home/b is not used: it belongs to uid 1001, and this is uid 1000"},
		"HOME of root":        {1000, env{"HOME": "/root"}, Dirs{}, a, "HOME=/root is not used: it belongs to uid 0, and this is uid 1000"},
		"no account":          {4711, env{"HOME": "/root"}, Dirs{}, Dirs{"/root/.config/skep", "/root/.local/state/skep", "/root/.local/state/skep/run"}, ""},
		"no account, no HOME": {4711, nil, Dirs{}, no, "cannot find the home directory of uid 4711"},
		"no account, theirs":  {4711, env{"HOME": "/home/a"}, Dirs{}, no, "cannot find the home directory of uid 4711"},
		"account, no home":    {1002, nil, Dirs{}, no, "cannot find the home directory of uid 1002"},
		"account, relative":   {1003, nil, Dirs{}, no, `its account says "here"`},
		"a session":           {1000, env{"XDG_RUNTIME_DIR": "/run/user/1000"}, Dirs{}, Dirs{a.Config, a.State, "/run/user/1000/skep"}, ""},
		"another's session":   {1000, env{"XDG_RUNTIME_DIR": "/run/user/1001"}, Dirs{}, a, "XDG_RUNTIME_DIR=/run/user/1001 is not used: it belongs to uid 1001, and this is uid 1000"},
		"root's session":      {1000, env{"XDG_RUNTIME_DIR": "/root/run"}, Dirs{}, a, "XDG_RUNTIME_DIR=/root/run is not used"},
		"a session that went": {1000, env{"XDG_RUNTIME_DIR": "/run/user/77"}, Dirs{}, a, "XDG_RUNTIME_DIR=/run/user/77 is not used: file does not exist"},
		"all of XDG":          {1000, env{"XDG_RUNTIME_DIR": "/run/user/1000", "XDG_CONFIG_HOME": "/etc/c", "XDG_STATE_HOME": "/s"}, Dirs{}, Dirs{"/etc/c/skep", "/s/skep", "/run/user/1000/skep"}, ""},
		"XDG of another":      {1000, env{"XDG_CONFIG_HOME": "/home/b/c", "XDG_STATE_HOME": "/home/b/s"}, Dirs{}, a, "XDG_CONFIG_HOME=/home/b/c is not used"},
		"XDG, relative":       {1000, env{"XDG_RUNTIME_DIR": "r", "XDG_CONFIG_HOME": "c", "XDG_STATE_HOME": "s"}, Dirs{}, a, ""},
		"environment":         {0, env{EnvConfigDir: "/c", EnvStateDir: "/s", EnvRunDir: "/r"}, Dirs{}, Dirs{"/c", "/s", "/r"}, ""},
		"flags win":           {4711, env{EnvConfigDir: "/c", EnvStateDir: "/s", EnvRunDir: "/r"}, Dirs{State: "/flag"}, Dirs{"/c", "/flag", "/r"}, ""},
		"some are given":      {4711, env{EnvConfigDir: "/c"}, Dirs{}, Dirs{"/c", no.State, no.Run}, "cannot find the home directory"},
	} {
		o := Options{Dirs: tt.flags, Getenv: func(k string) string { return tt.env[k] }, Account: accounts, Owner: owners}
		got, notes, err := o.settle(systemDirsLinux, tt.euid)
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
	o := Options{Dirs: Dirs{State: "here"}, Getenv: func(string) string { return "" }}
	if got, _, _ := o.settle(systemDirsLinux, 0); !strings.HasPrefix(got.State, "/") || !strings.HasSuffix(got.State, "/here") {
		t.Error("a keeper that changes its directory would lose", got.State)
	}
}
