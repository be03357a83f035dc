// Package linuxjail builds the rootfs a hypervisor lives in, starts the hypervisor there, and hands back
// the live process.
//
// # How
//
// The jail is a list of system calls, a Program, that the keeper writes beforehand; String prints
// it. A child made by clone3(2) in namespaces of its own runs the list and nothing else: raw calls
// in order, no Go runtime, no second program that would have to be found and trusted. The last row
// is the exec. A row that does not give what it wants ends the child, and its number and errno come
// back through a pipe that an exec closes; Start names the row in its error. There is no state in
// which a hypervisor runs and a row has failed.
//
// # The order, and why
//
//  1. Wait until the keeper has mapped the user and placed the child in its cgroups: limits hold
//     from the first page on. A keeper that dies meanwhile closes its end, and the child ends.
//     An ordinary user's child then makes its mounts private and takes the host's files and nodes by path,
//     with the caller's rights: a home directory may be closed to the cell's user.
//  2. Groups, group and user become the cell's. Everything after this is done with the cell's own
//     rights on the host, by capabilities that count in its user namespace alone.
//  3. The cgroup namespace, which must come after the placement; then host name, session, keyring
//     and personality.
//  4. The rootfs: a tmpfs just large enough, each file on a slot of its own,
//     copies by descriptor. Then pivot_root(2), the old root gone, the rootfs read-only. Device nodes
//     come last, because nothing else in the rootfs may be a device. As root the keeper hands in the
//     files as mounts and makes the nodes itself.
//  5. Descriptors get their numbers; all others are closed. From here on the program opens only
//     what it says it opens, under the numbers it says.
//  6. No W+X memory, no merging; limits. They come late because the rows above would run into them.
//  7. Securebits, bounding set, ambient set, capabilities, no_new_privs: nothing below needs more.
//  8. Landlock, which needs no_new_privs and the finished rootfs.
//  9. Signals as if untouched, which must not happen while the keeper's handlers could be run.
//  10. Seccomp: the filter, whose listener is sent to the keeper (package seccomp says what is asked).
//     It has to be last: the rows above make calls that a hypervisor does not have.
//  11. The exec, granted by the listener once.
//
// What no one can read from outside, MDWE and Landlock, is proven by a row that must fail.
//
// # Afterwards
//
// Seal ends the start phase and Empty takes the files away; both are for the keeper to call once
// the guest is prepared. Nothing ties the hypervisor's life to the keeper's after the exec: no
// death signal, no pipe. If the keeper dies during the start, its listener closes and the exec, or
// the hypervisor's next call that is not the policy's, fails; one that makes no more of those waits until
// it is swept, by the journal or its control group. If the keeper dies later, the kernel refuses in its
// place and the next keeper adopts the process. As process 1 of its namespace the hypervisor gets no default
// action of a signal it does not handle; SIGKILL from outside and faults of its own do end it, and
// an abort(3) shows as SIGSEGV.
package linuxjail
