// Package drill puts an attacker in the hypervisor's place, inside the same jail, to see what it can
// reach.
//
// It takes the same list that the keeper takes: the plan of a cell, with a program of ours where the
// plan has the hypervisor. The rootfs, the user, the descriptors, the limits and the filter are those
// that the hypervisor would have; the filter is not widened by a single call.
//
//	plan ──▶ keeper.DryRun ──▶ the jail ──▶ attacker (attacker_linux.asm, attacker_freebsd.asm)
//	                                               ▲ "make this call"
//	the table of attempts ──▶ session ─────────────┘ "it gave EPERM"
//
// A program in Go or C needs calls that a hypervisor does not have, so it could not run there. The
// attacker is therefore half a kilobyte of code that makes the calls it is ordered to and says what
// came of each; it takes its commands where the keeper would speak with QEMU, by the one socket that
// is there for that. All that makes it an attacker is outside, in the tables of attempts (package attack).
//
// Every attempt would succeed somewhere: that is tried as well, without any jail (see Ablate), since
// an attempt that fails everywhere proves nothing. And every attempt is harmless where it succeeds:
// what it opens, changes or ends is bait, laid out for the drill and gone after it (package bait).
package drill

// Name is how the attacker shows in ps(1).
const Name = "skep-drill-attacker"
