package probe

import "skep/internal/host"

// systemDirs are the directories of root.
var systemDirs = host.SystemDirsLinux
