//go:build !freebsd

package jail

// LaunchIfAsked is for systems where a hypervisor's process is made by starting
// skep once more. Here it is made otherwise.
func LaunchIfAsked() {}
