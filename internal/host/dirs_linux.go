package host

// systemDirs are the directories of root.
var systemDirs = systemDirsLinux
