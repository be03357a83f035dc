package main

import (
	"skep/internal/jail/freebsdjail"
)

// launchIfAsked becomes the process that enters a jail, if that is what this one was started for.
func launchIfAsked() { freebsdjail.LaunchIfAsked() }
