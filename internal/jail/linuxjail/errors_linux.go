package linuxjail

import (
	"errors"
	"fmt"

	"skep/internal/jail"
)

// ErrUserNamespacesRestricted: the host's policy refuses user namespaces to this caller, as
// Ubuntu's AppArmor profile and some sysctls do. Hint says what to do about it.
var ErrUserNamespacesRestricted = errors.New("this host does not let ordinary users create user namespaces")

// HintUserNamespaces goes with ErrUserNamespacesRestricted.
const HintUserNamespaces = "run as root, or allow it: `sysctl kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu), " +
	"`sysctl kernel.unprivileged_userns_clone=1` (Debian), `sysctl user.max_user_namespaces=10000`"

// cannotBuild is a jail.BuildError.
func cannotBuild(format string, args ...any) error {
	return &jail.BuildError{Err: fmt.Errorf(format, args...)}
}
