package host

import "os"

// DirsFor settles the three directories without looking at anything else.
func DirsFor(o Options) Dirs { return o.dirs(systemDirsLinux, os.Geteuid()) }
