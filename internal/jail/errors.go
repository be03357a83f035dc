package jail

import (
	"errors"
	"fmt"
	"syscall"

	"skep/internal/layer"
)

// ErrUserNamespacesRestricted: the host's policy refuses user namespaces to this caller, as
// Ubuntu's AppArmor profile and some sysctls do. Hint says what to do about it.
var ErrUserNamespacesRestricted = errors.New("this host does not let ordinary users create user namespaces")

// HintUserNamespaces goes with ErrUserNamespacesRestricted.
const HintUserNamespaces = "run as root, or allow it: `sysctl kernel.apparmor_restrict_unprivileged_userns=0` (Ubuntu), " +
	"`sysctl kernel.unprivileged_userns_clone=1` (Debian), `sysctl user.max_user_namespaces=10000`"

// A StepError names the row of the jail's program that failed. Nothing of the jail is left then.
type StepError struct {
	Layer layer.ID // the layer that did not apply; empty for a row that serves them all
	Step  string
	Errno syscall.Errno
}

func (e *StepError) Error() string {
	return fmt.Sprintf("cannot build the jail: step %s: %v", e.Step, e.Errno)
}

func (e *StepError) Unwrap() error { return e.Errno }
