package probe

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"skep/internal/host"
	"skep/internal/process"

	"golang.org/x/sys/unix"
)

const (
	kvmNode = "/dev/kvm"

	// KVM_GET_API_VERSION, and its only answer since Linux 2.6.22.
	kvmGetAPIVersion = 0xAE00
	kvmAPIVersion    = 12
)

// lookAtKVM says whether the node is there and opens.
func lookAtKVM() host.KVM {
	var k host.KVM
	st, err := os.Stat(kvmNode)
	if err != nil {
		k.Why = "there is no " + kvmNode
		return k
	}
	k.Present = true
	k.Node = st.Mode().String()
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		// "Dcrw-rw----" as Go writes it; ls(1) has no D.
		k.Node = strings.TrimPrefix(k.Node, "D")
		group := nameOf(parseAccounts(text("/etc/group")), int(sys.Gid))
		if group == "" {
			group = fmt.Sprint(sys.Gid)
		}
		k.Node += " " + group
	}
	fd, err := unix.Open(kvmNode, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		k.Why = fmt.Sprintf("open %s: %v", kvmNode, err)
		return k
	}
	defer unix.Close(fd)
	v, err := unix.IoctlRetInt(fd, kvmGetAPIVersion)
	if err != nil || v != kvmAPIVersion {
		k.Why = kvmNode + " is there and does not answer like KVM"
		return k
	}
	k.Opens = true
	if _, err := os.Stat("/sys/module/kvm_pvm"); err == nil {
		k.Software = true
	}
	return k
}

// kvmAnswer is what a trial of KVM said, and on what. Another boot may be on
// other hardware (an image that moved, a host that lost nested
// virtualisation), so the boot counts as much as the kernel.
type kvmAnswer struct {
	Key   string     `json:"key"`
	Trial host.Trial `json:"trial"`
}

// kvmRefusals are the firmwares and kernels that KVM failed on. They outlive a
// boot: a trial of the built-in guest does not find out about them again.
type kvmRefusals struct {
	Kernel string   `json:"kernel"`
	Sums   []string `json:"sums"`
}

const (
	kvmMemory = "kvm.json"

	// More sums than anybody has firmwares; then the oldest are forgotten.
	maxRefused = 256
)

func kvmKey(release string, q *host.QEMU) string {
	return fmt.Sprintf("%s %s %s %v %s", release, process.BootID(), q.Path, stampOf(q.Path), build())
}

// judgeTCG fills in whether emulation works, where somebody wants it tried.
func judgeTCG(ctx context.Context, o Options, f *host.Facts) {
	if o.TryTCG == nil || f.Linux.QEMU == nil {
		return
	}
	if t := o.TryTCG(ctx, *f); ctx.Err() == nil {
		f.Linux.TCG = &t
	}
}

// judgeKVM fills in whether KVM works, from memory or by trial.
func judgeKVM(ctx context.Context, o Options, c cache, f *host.Facts) {
	k := &f.Linux.KVM
	if !k.Opens || f.Linux.QEMU == nil {
		return
	}
	var refused kvmRefusals
	if c.load(host.RefusedMemory, &refused) == nil && refused.Kernel == f.Kernel {
		k.Refused = refused.Sums
	}
	var a kvmAnswer
	key := kvmKey(f.Kernel, f.Linux.QEMU)
	if o.TryTCG == nil && c.load(kvmMemory, &a) == nil && a.Key == key {
		takeTrial(k, a.Trial)
		return
	}
	if o.TryKVM == nil {
		return
	}
	t := o.TryKVM(ctx, *f)
	if ctx.Err() != nil {
		// Somebody lost patience, and that says nothing about KVM.
		return
	}
	takeTrial(k, t)
	if !t.Unsure {
		_ = c.save(kvmMemory, kvmAnswer{key, t})
	}
}

func takeTrial(k *host.KVM, t host.Trial) {
	k.Tried, k.Works, k.Why, k.CPU = true, t.Works, t.Why, t.CPU
}

// RememberKVM writes down what a trial of KVM said, for a caller that did not
// want to wait for it inside Probe.
func RememberKVM(f host.Facts, t host.Trial) error {
	if f.Linux == nil || f.Linux.QEMU == nil {
		return nil
	}
	return Options{}.cache(f.Dirs).save(kvmMemory, kvmAnswer{kvmKey(f.Kernel, f.Linux.QEMU), t})
}

// RememberRefused writes down that KVM failed on a firmware or kernel where
// TCG then was used. dir is Dirs.State.
func RememberRefused(dir, sha256 string) error {
	c := Options{}.cache(host.Dirs{State: dir})
	var r kvmRefusals
	release := release()
	if c.load(host.RefusedMemory, &r) != nil || r.Kernel != release {
		r = kvmRefusals{Kernel: release}
	}
	if slices.Contains(r.Sums, sha256) {
		return nil
	}
	r.Sums = append(r.Sums, sha256)
	if n := len(r.Sums) - maxRefused; n > 0 {
		r.Sums = r.Sums[n:]
	}
	return c.save(host.RefusedMemory, r)
}
