// Package seccomp is the list of system calls a hypervisor may make, and the compiler that turns
// it into filters for the kernel. It is pure: the tables and the filters of every architecture are
// made and tested anywhere.
package seccomp
