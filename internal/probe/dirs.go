package probe

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"skep/internal/fault"
	"skep/internal/host"
)

// nowhere is where the directories of a user without a home are: it is absolute
// and only root could make it. A relative path would mean whatever directory the
// caller stands in, which may be another user's.
const nowhere = "/nonexistent"

// settle settles the three directories. system are those of root on this
// system. The notes say which of the environment's are not used. With an error,
// the directories that a home is missing for do not exist.
func (o Options) settle(system host.Dirs, euid int) (d host.Dirs, notes []string, err error) {
	d = system
	if euid != 0 {
		d, notes, err = o.userDirs(euid)
	}
	given := true
	pick := func(at *string, flag, variable string) {
		v := flag
		if v == "" {
			v = o.env(variable)
		}
		if v == "" {
			given = false
			return
		}
		// A keeper changes its working directory; a relative path would follow.
		if abs, err := filepath.Abs(v); err == nil {
			v = abs
		}
		*at = v
	}
	pick(&d.Config, o.Dirs.Config, host.EnvConfigDir)
	pick(&d.State, o.Dirs.State, host.EnvStateDir)
	pick(&d.Run, o.Dirs.Run, host.EnvRunDir)
	if given {
		return d, nil, nil
	}
	return d, notes, err
}

// userDirs are those of an ordinary user, as the XDG specification has them.
func (o Options) userDirs(euid int) (d host.Dirs, notes []string, err error) {
	unused := func(variable, why string) {
		notes = append(notes, fmt.Sprintf("%s=%s is not used: %s", variable, o.env(variable), why))
	}
	home, err := o.home(euid, unused)
	// mine is a directory of the environment's that this user may put things in.
	// su(1) may leave the variables of whoever called it.
	mine := func(variable string, must bool) string {
		v := o.env(variable)
		if !filepath.IsAbs(v) {
			return "" // XDG: a relative path is to be ignored
		}
		owner, err := o.owner(v)
		switch {
		case err != nil && must:
			unused(variable, reason(err))
			return ""
		case err == nil && owner != euid && (must || owner != 0):
			unused(variable, anothers(owner, euid))
			return ""
		}
		return v
	}
	under := func(v, fallback string) string {
		if v == "" {
			v = filepath.Join(home, fallback)
		}
		return filepath.Join(v, "skep")
	}
	d.Config = under(mine("XDG_CONFIG_HOME", false), ".config")
	d.State = under(mine("XDG_STATE_HOME", false), ".local/state")
	// Without a session manager there is no runtime directory. /tmp is open
	// to everybody, so sockets go below the state directory instead, which
	// is ours alone; what is stale there after a reboot is swept.
	d.Run = filepath.Join(d.State, "run")
	if v := mine("XDG_RUNTIME_DIR", true); v != "" {
		d.Run = filepath.Join(v, "skep")
	}
	return d, notes, err
}

// home is HOME, where it is this user's, and else what the account says. Where
// there is no account, a HOME of root's does.
func (o Options) home(euid int, unused func(variable, why string)) (string, error) {
	env := o.env("HOME")
	owner, oerr := 0, error(nil)
	if filepath.IsAbs(env) {
		if owner, oerr = o.owner(env); oerr != nil || owner == euid {
			return env, nil
		}
	} else if env != "" {
		unused("HOME", "it is not an absolute path")
	}
	home, err := o.account(euid)
	if err == nil && !filepath.IsAbs(home) {
		err = fmt.Errorf("its account says %q", home)
	}
	switch {
	case err == nil:
		if filepath.IsAbs(env) && home != env {
			unused("HOME", anothers(owner, euid))
		}
		return home, nil
	case filepath.IsAbs(env) && owner == 0:
		return env, nil
	}
	return nowhere, fault.Wrap(fault.Host, err, "set HOME; or name the directories with "+host.EnvConfigDir+", "+host.EnvStateDir+" and "+host.EnvRunDir,
		"find the home directory of uid %d", euid)
}

func anothers(owner, euid int) string {
	return fmt.Sprintf("it belongs to uid %d, and this is uid %d", owner, euid)
}

func reason(err error) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return err.Error()
}

// account is the home directory that an account has, whatever HOME says.
func (o Options) account(uid int) (string, error) {
	if o.Account != nil {
		return o.Account(uid)
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return "", errors.New("HOME is not set, and no account has this uid")
	}
	return u.HomeDir, nil
}

func (o Options) owner(path string) (int, error) {
	if o.Owner != nil {
		return o.Owner(path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	return int(st.Uid), nil
}

// DirsFor settles the three directories without looking at anything else.
func DirsFor(o Options) host.Dirs {
	d, _, _ := o.settle(systemDirs, os.Geteuid())
	return d
}

// Settle is DirsFor with what there is to say about it: which directories of
// the environment are not used, and that there is no home.
func Settle(o Options) (host.Dirs, []string, error) { return o.settle(systemDirs, os.Geteuid()) }

// SystemDirs are the directories of root on this system.
func SystemDirs() host.Dirs { return systemDirs }
