package kinfo

import "strconv"

// Controls are the answers of procctl(2) for one process. A nil could not be
// asked.
type Controls struct {
	ASLR       *int32 `json:"aslr"`
	WXMap      *int32 `json:"wxmap"`
	NoNewPrivs *int32 `json:"no_new_privs"`
	Trace      *int32 `json:"trace"`
}

// Values of procctl(2), sys/sys/procctl.h.
const (
	aslrForceEnable  = 1
	aslrActive       = -1 << 31
	noNewPrivsEnable = 1
	wxEnforced       = -1 << 31
	traceDisabled    = -1
)

// ASLRActive says whether the address space that it has now is a random one.
func (c Controls) ASLRActive() bool { return c.ASLR != nil && *c.ASLR&aslrActive != 0 }

// ASLRForced says whether neither the host's settings nor a mark in the
// program can turn it off.
func (c Controls) ASLRForced() bool { return c.ASLR != nil && *c.ASLR&^aslrActive == aslrForceEnable }

// WXEnforced says whether the kernel refuses memory that is writable and
// executable, or that becomes executable having been writable.
func (c Controls) WXEnforced() bool { return c.WXMap != nil && *c.WXMap&wxEnforced != 0 }

// PrivsFixed says whether set-user-ID programs give it nothing.
func (c Controls) PrivsFixed() bool { return c.NoNewPrivs != nil && *c.NoNewPrivs == noNewPrivsEnable }

// Untraceable says whether nobody but root can trace it, and whether it writes
// no core.
func (c Controls) Untraceable() bool { return c.Trace != nil && *c.Trace == traceDisabled }

// ASLRText says it in proccontrol(1)'s words.
func (c Controls) ASLRText() string {
	if c.ASLR == nil {
		return ""
	}
	force, ok := map[int32]string{1: "force enabled", 2: "force disabled", 3: "not forced"}[*c.ASLR&^aslrActive]
	if !ok {
		force = "mode " + strconv.Itoa(int(*c.ASLR&^aslrActive))
	}
	if c.ASLRActive() {
		return force + ", active"
	}
	return force + ", not active"
}
