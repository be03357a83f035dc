// Package freebsdjail makes a jail(8), starts a hypervisor in it, and hands back the live process.
//
// A hypervisor's process is this program, started once more: the launcher. It stands outside of the
// jail until it has all that it needs, asks procctl(2) for what must hold before the first instruction,
// enters by jail_attach(2), makes the VM there, takes its user and limits, and becomes the hypervisor by
// exec(2). It reports each step that fails over a socket that the exec closes, so that a start either
// stands or is named. The kernel is asked by its calls and not by commands: jail_set(2), nmount(2),
// rctl_add_rule(2) say in words what they did not like, and read no configuration of the host's.
package freebsdjail
