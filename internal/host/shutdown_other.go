//go:build !linux && !freebsd

package host

import "context"

// ShutdownLimits knows no limits here.
func ShutdownLimits(context.Context) []ShutdownLimit { return nil }
