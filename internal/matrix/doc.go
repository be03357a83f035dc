// Command matrix runs skep where its users are: in other Debian userlands, each with its own QEMU
// and C library, and under other kernels with systemd as init. It is `make matrix`.
//
// A userland is made once by scripts/userland. The matrix unpacks it, enters it as a host has it
// (mounts, processes, control groups and devices of its own, and a root that is no chroot, since a
// chroot may make no user namespace), and runs the tests of internal/e2e there that make its
// columns: what is tried is said in one place, TestMatrix. A table of what came of it is printed,
// and kept for docs/matrix.md.
//
// A release is booted with its own kernel and systemd, emulated, with the unit enabled: what is seen
// in there is said on its console.
package main
