//go:build !linux && !freebsd

package probe

import "context"

// ShutdownLimits knows no limits here.
func ShutdownLimits(context.Context) []ShutdownLimit { return nil }
