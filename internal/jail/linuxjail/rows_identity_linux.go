package linuxjail

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"skep/internal/layer"
)

// wait holds the child until the keeper has mapped its user and placed it in its cgroups. A keeper
// that died closes its end, the read gives 0 instead of 1, and that is the end of the child too.
func (b *builder) wait() {
	b.rows(
		step("", "let-go-of-keepers-end", sysClose, "or its end of the socket would never be closed for us",
			descriptor("keeper's sync", b.in.parentSync)),
	)
	b.closeOthers()
	b.rows(
		step("", "wait-for-keeper", sysRead, "it maps the user and places us in the cgroups first",
			descriptor("sync", b.in.sync), mem("&byte", new([8]byte)), number(1)).returning(1, ""),
	)
}

// closeOthers closes all that this program has no use for before it waits. Two children that are made at once
// have copies of each other's end of the keeper's socket, and should that die neither would ever hear of it.
func (b *builder) closeOthers() {
	uses := slices.Concat([]int{b.in.sync, b.in.errors}, b.in.std[:], b.in.fds, b.in.copies, b.in.files)
	if b.in.nodes >= 0 {
		uses = append(uses, b.in.nodes)
	}
	slices.Sort(uses)
	const why = "another child's end of the keeper's socket among them"
	next := 0
	for _, fd := range uses {
		if fd > next {
			b.rows(step(layer.ClosedFDs, fmt.Sprintf("close-others-below-%d", fd), sysCloseRange, why, number(next), number(fd-1), number(0)))
		}
		next = fd + 1
	}
	b.rows(step(layer.ClosedFDs, "close-others", sysCloseRange, why, number(next), named("~0U", math.MaxUint32), number(0)))
}

// identity comes once the host's files are taken and before anything is built, so that all of it is done
// with the cell's own rights on the host and not with the caller's. The user namespace's capabilities stay: none of its users is
// 0, so leaving one loses none.
func (b *builder) identity() {
	uid, gid := number(b.spec.Identity.UID), number(b.spec.Identity.GID)
	b.rows(
		step(layer.NoGroups, "drop-groups", sysSetgroups, "no supplementary groups", number(0), null()),
		step(layer.OwnUID, "own-gid", sysSetresgid, "a group that is no one else's", gid, gid, gid),
		step(layer.OwnUID, "own-uid", sysSetresuid, "a user that is no one else's", uid, uid, uid),
	)
}

func (b *builder) surroundings() {
	name := b.spec.Hostname
	b.rows(
		step(layer.CgroupNamespace, "own-cgroup-root", sysUnshare,
			"after the placement, or the root of the cgroup namespace would be the keeper's",
			flags(bit{"CLONE_NEWCGROUP", unix.CLONE_NEWCGROUP})),
		step(layer.UTSNamespace, "hostname", sysSethostname, "the host's name is not told",
			str(name), number(len(name))),
		step("", "own-session", sysSetsid, "a terminal's ^C and hang-up are not for the hypervisor"),
		step(layer.Keyring, "own-keyring", sysKeyctl, "the caller's keys are not accessible",
			named("KEYCTL_JOIN_SESSION_KEYRING", unix.KEYCTL_JOIN_SESSION_KEYRING), null()),
		step(layer.ASLR, "plain-personality", sysPersonality,
			"neither fixed addresses nor READ_IMPLIES_EXEC are inherited", named("PER_LINUX", 0)),
	)
}

// privileges go when all that needs them is done.
func (b *builder) privileges() {
	type capHeader struct {
		version uint32
		_       int32 // pid: this one
	}
	type capData [2]struct{ effective, permitted, inheritable uint32 }
	// NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, each with its lock, and KEEP_CAPS locked
	// while off.
	const securebits = 0x1 | 0x2 | 0x4 | 0x8 | 0x20 | 0x40 | 0x80
	b.rows(step(layer.Capabilities, "lock-securebits", sysPrctl, "user 0 means nothing here, now and later",
		named("PR_SET_SECUREBITS", unix.PR_SET_SECUREBITS), named("0xef", securebits)))
	for i := 0; i <= b.facts.lastCap; i++ {
		b.rows(step(layer.Capabilities, fmt.Sprintf("drop-bound-%d", i), sysPrctl, "no exec can bring it back",
			named("PR_CAPBSET_DROP", unix.PR_CAPBSET_DROP), number(i)))
	}
	b.rows(
		step(layer.Capabilities, "drop-ambient", sysPrctl, "nothing is handed through exec",
			named("PR_CAP_AMBIENT", unix.PR_CAP_AMBIENT), named("PR_CAP_AMBIENT_CLEAR_ALL", unix.PR_CAP_AMBIENT_CLEAR_ALL),
			number(0), number(0), number(0)),
		step(layer.Capabilities, "drop-capabilities", sysCapset, "effective, permitted and inheritable are empty",
			mem("{VERSION_3, 0}", &capHeader{version: unix.LINUX_CAPABILITY_VERSION_3}), mem("{0, 0, 0}", new(capData))),
		step(layer.NoNewPrivs, "no-new-privs", sysPrctl, "no exec gives rights; Landlock and seccomp ask for it",
			named("PR_SET_NO_NEW_PRIVS", unix.PR_SET_NO_NEW_PRIVS), number(1), number(0), number(0), number(0)),
	)
}
