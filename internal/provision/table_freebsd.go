package provision

import (
	"io/fs"
	"os"

	"skep/internal/disk"
	"skep/internal/jail/freebsdjail"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/store"
)

// table is what is done with each kind of resource on FreeBSD.
var table = map[plan.Kind]kind{
	plan.KindDirectory: {
		acquire: having(
			func(_ system, s *plan.Directory) error { return os.MkdirAll(s.Path, fs.FileMode(s.Mode)) },
		),
		release: goesWith("the cell's last state, see Store.RemoveRunDir"),
		look:    unseen("its path is skep's own"),
		adopt:   survives("a directory"),
		audit:   notAudited("bhyve cannot see it"),
	},
	plan.KindSlot: {
		acquire: having(func(_ system, s *plan.Slot) error { return writeNew(s.File, s.Name+"\n") }),
		release: letting(func(_ system, s *plan.Slot) error { return removeFile(s.File) }),
		look:    unseen("it is not in the cell file"),
		adopt:   survives("a file"),
		audit:   rows("uid", "gid"),
	},
	plan.KindBridge: {
		acquire: making(func(_ system, s *plan.Bridge) (bool, error) { return acquireBridge(s) }),
		release: letting(func(_ system, s *plan.Bridge) error {
			if !s.Create {
				return nil
			}
			return network.DropBridge(s.Name, s.Tag, s.Uplink)
		}),
		look: looking(func(_ system, s *plan.Bridge) []error {
			if s.Create {
				return nil
			}
			_, err := acquireBridge(s)
			return list(err)
		}),
		adopt: survives("the kernel's"),
		audit: notAudited("a bridge is the host's, and nothing of it is in the jail"),
	},
	plan.KindTap: {
		acquire: having(system.acquireTap),
		release: letting(func(_ system, s *plan.Tap) error { return releaseTap(s) }),
		look: looking(func(t system, s *plan.Tap) []error {
			if !s.Admin {
				return nil
			}
			return list(t.acquireTap(s))
		}),
		adopt: survives("bhyve has it open"),
		audit: rows("nodes", "descriptors"),
	},
	plan.KindStack: {
		acquire: having(func(_ system, s *plan.Stack) error { return acquireStack(s) }),
		release: func(_ system, c call) error { return releasePrison(c.ctx, c.r.Spec.(*plan.Stack).Prison()) },
		look:    looking(func(_ system, s *plan.Stack) []error { return list(nameIsFree(s.Prison())) }),
		adopt:   survives("the kernel's"),
		audit:   rows("stack"),
	},
	plan.KindNetwork: {
		acquire: having(system.acquireNetwork),
		release: func(t system, c call) error { return t.releaseNetwork(c.ctx, c.r.Spec.(*plan.Network)) },
		look:    looking(func(_ system, s *plan.Network) []error { return lookAtNetwork(s) }),
		adopt:   letting(system.acquireNetwork), // it ended with its keeper
		audit:   rows("network-"),
	},
	plan.KindCapture: {
		acquire: having(system.acquireCapture),
		release: func(t system, c call) error { return t.releaseCapture(c.ctx, c.r.Spec.(*plan.Capture)) },
		look:    unseen("its tap is looked at"),
		adopt:   letting(system.acquireCapture), // it ended with its keeper
		audit:   rows("capture-"),
	},
	plan.KindDisk: {
		acquire: making(func(t system, s *plan.Disk) (bool, error) {
			f, made, err := openDisk(s, t.files, t.env)
			t.hold("disk:"+s.Label, f)
			return made, err
		}),
		release: letting(func(t system, s *plan.Disk) error { t.drop("disk:" + s.Label); return nil }),
		look: func(t system, c call) []error {
			return list(lookAtDisk(c.r.Spec.(*plan.Disk), t.files, c.disks, t.env))
		},
		adopt: survives("the locks of images are bhyve's as well"),
		audit: rows("descriptors", "kinds"),
	},
	plan.KindLayer: {
		acquire: making(func(t system, s *plan.Layer) (bool, error) {
			base, _, made, err := acquireLayer(s)
			t.hold("base:"+s.Label, base)
			return made, err
		}),
		release: letting(func(t system, s *plan.Layer) error {
			t.drop("base:" + s.Label)
			return disk.RemoveLayer(s)
		}),
		look: looking(func(_ system, s *plan.Layer) []error { return list(lookAtLayer(s)) }),
		adopt: letting(func(t system, s *plan.Layer) error {
			base, err := disk.OpenBase(s)
			t.hold("base:"+s.Label, base)
			return err
		}),
		audit: notAudited("bhyve has the copy, which is a disk, and not the base"),
	},
	plan.KindMedium: {
		acquire: having(func(t system, s *plan.Medium) error {
			f, err := makeMedium(t.cell, s)
			if err == nil {
				f.Close() // bhyve opens it by its name in the rootfs
			}
			return err
		}),
		release: letting(func(_ system, s *plan.Medium) error { return releaseMedium(s) }),
		look:    looking(func(t system, s *plan.Medium) []error { return lookAtMedium(t.cell, s) }),
		adopt:   survives("a file"),
		audit:   rows("descriptors", "mounts"),
	},
	plan.KindScratchCopy: {
		acquire: func(_ system, c call) (store.Held, error) {
			return store.Held{}, acquireScratchCopy(c.ctx, c.r.Spec.(*plan.ScratchCopy))
		},
		release: letting(func(_ system, s *plan.ScratchCopy) error { return os.RemoveAll(s.Dir) }),
		look:    unseen("its path is skep's own; what it is made of is a disk"),
		adopt:   survives("a directory"),
		audit:   rows("mounts"),
	},
	plan.KindVars: {
		acquire: having(system.acquireVars),
		release: letting(func(t system, s *plan.Vars) error { t.drop("vars"); return nil }),
		look:    looking(func(t system, s *plan.Vars) []error { return lookAtVars(t.cell.Name, s) }),
		// What the guest has made of them is its own: only their lock is needed again.
		adopt: letting(func(t system, s *plan.Vars) error {
			f, err := lockVars(s)
			t.hold("vars", f)
			return err
		}),
		audit: rows("descriptors", "kinds"),
	},
	plan.KindFirmware: {
		acquire: having(func(_ system, s *plan.Firmware) error { return checkFirmware(s) }),
		release: goesWith("the rootfs that it was copied into"),
		look:    looking(func(_ system, s *plan.Firmware) []error { return list(checkFirmware(s)) }),
		adopt:   survives("bhyve has read it"),
		audit:   rows("files"),
	},
	plan.KindLog: {
		acquire: having(system.acquireLog),
		release: letting(func(t system, s *plan.Log) error {
			t.logs.close(t.env.Notify, s)
			t.drop(s.Name)
			return nil
		}),
		look:  unseen("its path is skep's own"),
		adopt: letting(system.acquireLog), // it is bounded by its keeper
		audit: rows("descriptors", "kinds"),
	},
	plan.KindSocket: {
		acquire: having(system.acquireSocket),
		release: letting(func(t system, s *plan.Socket) error {
			if l := t.sockets[s.Name]; l != nil {
				l.Close()
			}
			return removeFile(s.Path)
		}),
		look:  unseen("its path is skep's own"),
		adopt: letting(system.adoptSocket),
		audit: rows("descriptors"),
	},
	plan.KindAccess: {
		acquire: byOther("the keeper, who listens on it"),
		release: letting(func(_ system, s *plan.Access) error { return releaseAccess(s) }),
		look:    looking(func(t system, s *plan.Access) []error { return lookAtAccess(t.cell, s) }),
		adopt:   survives("the keeper's to adopt"),
		audit:   notAudited("the hypervisor cannot see it; what it gives is among the relaxations"),
	},
	plan.KindJailRootfs: {
		acquire: having(system.acquireTree),
		release: letting(func(_ system, s *plan.JailRootfs) error { return releaseTree(s) }),
		look: looking(func(_ system, s *plan.JailRootfs) []error {
			if !s.Existing {
				return nil
			}
			return list(existingTree(s))
		}),
		adopt: survives("a mount"),
		audit: rows("root-flags", "files", "directories"),
	},
	plan.KindMount: {
		acquire: func(_ system, c call) (store.Held, error) {
			s := c.r.Spec.(*plan.Mount)
			if err := checkMount(c.r.For, s); err != nil {
				return store.Held{}, err
			}
			return store.Held{}, acquireMount(s)
		},
		release: letting(func(_ system, s *plan.Mount) error { return freebsdjail.Unmount(s.Path) }),
		look:    func(_ system, c call) []error { return list(checkMount(c.r.For, c.r.Spec.(*plan.Mount))) },
		adopt:   survives("a mount"),
		audit:   rows("mounts", "mount-flags"),
	},
	plan.KindRuleset: {
		acquire: having(func(_ system, s *plan.Ruleset) error { return acquireRuleset(s) }),
		release: letting(func(_ system, s *plan.Ruleset) error { return releaseRuleset(s) }),
		look:    unseen("its number is the slot's"),
		adopt:   survives("the kernel's"),
		audit:   rows("ruleset", "ruleset-globs"),
	},
	plan.KindDevMount: {
		acquire: having(func(_ system, s *plan.DevMount) error { return acquireDev(s) }),
		release: letting(func(_ system, s *plan.DevMount) error { return freebsdjail.Unmount(s.Path) }),
		look:    unseen("its path is skep's own"),
		adopt:   survives("a mount"),
		audit:   rows("nodes", "dangerous-nodes"),
	},
	plan.KindPrison: {
		acquire: func(t system, c call) (h store.Held, err error) {
			if err = t.portsFree(); err == nil {
				h.JID, err = t.acquirePrison(c.r.Spec.(*plan.Prison))
			}
			return h, err
		},
		release: func(_ system, c call) error { return releasePrison(c.ctx, c.r.Spec.(*plan.Prison)) },
		look:    looking(func(_ system, s *plan.Prison) []error { return list(nameIsFree(s)) }),
		adopt:   survives("the kernel's"),
		audit:   rows("jailed", "jail-parameters", "jail-permissions"),
	},
	plan.KindRctl: {
		acquire: having(func(_ system, s *plan.Rctl) error { return acquireRctl(s) }),
		release: letting(func(_ system, s *plan.Rctl) error { return freebsdjail.RemoveLimits("jail:" + s.Jail) }),
		look:    unseen("its values are checked with the plan"),
		adopt:   survives("the kernel's"),
		audit:   rows("rctl"),
	},
	plan.KindModem: {
		acquire: byOther("bhyve, whose end is opened first"),
		release: func(t system, _ call) error { return t.releaseModem() },
		look:    unseen("a device of its own name"),
		adopt:   survives("Adopt opens its far end again"),
		audit:   rows("nodes", "descriptors"),
	},
	plan.KindVM: {
		acquire: func(_ system, c call) (store.Held, error) {
			err := acquireVM(c.r.Spec.(*plan.VM))
			return store.Held{Made: err == nil}, err
		},
		release: func(t system, c call) error { return t.releaseVM(c.r.Spec.(*plan.VM), c.held) },
		look:    looking(func(_ system, s *plan.VM) []error { return list(acquireVM(s)) }),
		adopt:   survives("the kernel's"),
		audit:   rows("nodes"),
	},
	plan.KindBhyve: {
		acquire: func(t system, c call) (store.Held, error) {
			return t.acquireBhyve(c.ctx, c.r.Spec.(*plan.Bhyve))
		},
		release: func(t system, c call) error {
			return t.releaseBhyve(c.ctx, c.r.Spec.(*plan.Bhyve), c.held)
		},
		look:  unseen("it is the host's"),
		adopt: survives("Adopt finds it first"),
		audit: rows("capsicum", "aslr", "strict-wx", "full-relro", "program"),
	},
	plan.KindWorker: {
		acquire: having(system.acquireWorker),
		release: func(t system, c call) error { return t.releaseWorker(c.ctx, c.r.Spec.(*plan.Worker), c.held) },
		look:    unseen("it is not in the cell file"),
		adopt:   survives("Adopt starts another"),
		audit:   rows("worker", "worker-uid"),
	},
	plan.KindRelay: {
		acquire: having(system.acquireRelay),
		release: letting(func(t system, s *plan.Relay) error {
			for _, r := range t.relays {
				r.close()
			}
			t.relays = nil
			if s.Path == "" {
				return nil
			}
			return removeFile(s.Path)
		}),
		look: looking(func(t system, s *plan.Relay) []error {
			if s.Name == "screen" {
				return t.lookAtScreen(s.Listen)
			}
			return list(canListen(s.Name, s.Listen))
		}),
		adopt: letting(system.adoptRelay),
		audit: notAudited("it is the keeper's, and outside of the jail"),
	},
	plan.KindScreen: {
		acquire: having(func(t system, s *plan.Screen) error { t.show(s.Listen); return nil }),
		release: goesWith("bhyve, which listens itself"),
		look:    looking(func(t system, s *plan.Screen) []error { return t.lookAtScreen(s.Listen) }),
		adopt:   survives("bhyve listens itself"),
		audit:   rows("descriptors"),
	},
}
