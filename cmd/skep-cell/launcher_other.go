//go:build !freebsd

package main

// launchIfAsked is for systems where a hypervisor's process is made by starting skep once more. Here it
// is cloned.
func launchIfAsked() {}
