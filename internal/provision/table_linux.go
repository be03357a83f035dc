package provision

import (
	"errors"
	"io/fs"
	"os"

	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/network"
	"skep/internal/plan"
	"skep/internal/store"
)

// table is what is done with each kind of resource on Linux.
var table = map[plan.Kind]kind{
	plan.KindDirectory: {
		acquire: having(
			func(_ system, s *plan.Directory) error { return os.MkdirAll(s.Path, fs.FileMode(s.Mode)) },
		),
		release: goesWith("the cell's last state, see Store.RemoveRunDir"),
		look:    unseen("its path is skep's own"),
		adopt:   survives("a directory"),
		audit:   notAudited("the hypervisor cannot see it"),
	},
	plan.KindSlot: {
		acquire: having(func(_ system, s *plan.Slot) error { return writeNew(s.File, s.Name+"\n") }),
		release: letting(func(_ system, s *plan.Slot) error { return removeFile(s.File) }),
		look:    unseen("it is not in the cell file"),
		adopt:   survives("a file"),
		audit:   rows("uid", "gid"),
	},
	plan.KindCgroup: {
		acquire: func(t system, c call) (store.Held, error) { return t.acquireCgroup(c.r.Spec.(*plan.Cgroup)) },
		release: func(t system, c call) error {
			if !t.sameBoot {
				return nil
			}
			return t.releaseCgroup(c.ctx, c.r.Spec.(*plan.Cgroup), c.held)
		},
		look:  unseen("its path is skep's own"),
		adopt: letting(system.adoptCgroup),
		audit: rows("cgroups", "cgroups-other", "cgroup-parent"),
	},
	plan.KindOwnCgroup: {
		acquire: having(func(_ system, s *plan.OwnCgroup) error { return acquireOwnCgroup(s) }),
		release: letting(func(t system, s *plan.OwnCgroup) error {
			if !t.sameBoot {
				return nil
			}
			return releaseOwnCgroup(s)
		}),
		look:  unseen("its path is skep's own"),
		adopt: survives("the kernel's"),
		audit: notAudited("it has skep in it, and not the hypervisor"),
	},
	plan.KindBridge: {
		acquire: making(func(_ system, s *plan.Bridge) (bool, error) { return acquireBridge(s) }),
		release: letting(func(t system, s *plan.Bridge) error {
			if !t.sameBoot || !s.Create {
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
		audit: rows("network-devices"),
	},
	plan.KindTap: {
		acquire: having(system.acquireTap),
		release: letting(func(t system, s *plan.Tap) error {
			t.drop("tap:" + s.Label)
			if !t.sameBoot || s.Admin {
				return unclaimCard(s)
			}
			return errors.Join(network.DropTap(s.Name, s.Tag), unclaimCard(s))
		}),
		look:  looking(system.lookAtTap),
		adopt: survives("the hypervisor holds it"),
		audit: rows("descriptors", "kinds"),
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
		adopt: survives("the hypervisor holds it"),
		audit: rows("descriptors", "kinds"),
	},
	plan.KindLayer: {
		acquire: making(func(t system, s *plan.Layer) (bool, error) {
			base, frozen, made, err := acquireLayer(s)
			t.hold("base:"+s.Label, base)
			t.hold("frozen:"+s.Label, frozen)
			return made, err
		}),
		release: letting(func(t system, s *plan.Layer) error {
			t.drop("base:" + s.Label)
			t.drop("frozen:" + s.Label)
			return disk.RemoveLayer(s)
		}),
		look:  looking(func(_ system, s *plan.Layer) []error { return list(lookAtLayer(s)) }),
		adopt: survives("the hypervisor holds the base, and the layer is a disk"),
		audit: rows("descriptors", "kinds"),
	},
	plan.KindTemplate: {
		acquire: having(system.acquireTemplate),
		release: letting(system.releaseTemplate),
		look:    unseen("no cell file names one"),
		adopt:   survives("the hypervisor holds the memory, and needs the state no more"),
		audit:   rows("descriptors", "kinds"),
	},
	plan.KindMedium: {
		acquire: having(system.acquireMedium),
		release: letting(func(t system, s *plan.Medium) error { t.drop("disk:" + s.Label); return releaseMedium(s) }),
		look:    looking(func(t system, s *plan.Medium) []error { return lookAtMedium(t.cell, s) }),
		adopt:   survives("the hypervisor holds it"),
		audit:   rows("descriptors", "kinds"),
	},
	plan.KindVars: {
		acquire: having(system.acquireVars),
		release: letting(func(t system, s *plan.Vars) error { t.drop("flash-vars"); return nil }),
		look:    looking(func(t system, s *plan.Vars) []error { return lookAtVars(t.cell.Name, s) }),
		adopt:   survives("the hypervisor holds it"),
		audit:   rows("descriptors", "kinds"),
	},
	plan.KindFirmware: {
		acquire: having(system.acquireFirmware),
		release: letting(func(t system, s *plan.Firmware) error { t.drop("flash-code"); return nil }),
		look: looking(func(_ system, s *plan.Firmware) []error {
			f, err := openFirmware(s)
			if err == nil {
				f.Close()
			}
			return list(err)
		}),
		adopt: survives("the hypervisor holds it"),
		audit: rows("descriptors", "kinds"),
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
			t.drop(s.Name)
			if s.Path == "" {
				return nil
			}
			return removeFile(s.Path)
		}),
		look:  looking(system.lookAtSocket),
		adopt: survives("the hypervisor listens on it; the control socket is the keeper's to adopt"),
		audit: rows("descriptors", "planned"),
	},
	plan.KindAccess: {
		acquire: byOther("the keeper, who listens on it"),
		release: letting(func(_ system, s *plan.Access) error { return releaseAccess(s) }),
		look:    looking(func(t system, s *plan.Access) []error { return lookAtAccess(t.cell, s) }),
		adopt:   survives("the keeper's to adopt"),
		audit:   notAudited("the hypervisor cannot see it; what it gives is among the relaxations"),
	},
	plan.KindRootfs: {
		// It and the jail are made with the hypervisor's process, in one program.
		acquire: having(func(t system, s *plan.Rootfs) error { return fault.Join(t.lookAtCopies(s)...) }),
		release: goesWith("its mount namespace"),
		look:    looking(system.lookAtCopies),
		adopt:   survives("the hypervisor holds it"),
		audit:   rows("mounts", "mount-flags", "files", "nodes"),
	},
	plan.KindJail: {
		acquire: byOther("the hypervisor's process"),
		release: goesWith("the hypervisor's process"),
		look:    unseen("what a cell file may say of it is checked with the plan"),
		adopt:   survives("the hypervisor holds it"),
		audit:   rows("jailed", "capsicum", "seccomp-filters", "groups", "no-new-privs"),
	},
	plan.KindHypervisor: {
		acquire: func(t system, c call) (store.Held, error) {
			return t.acquireHypervisor(c.ctx, c.r.ID, c.r.Spec.(*plan.Hypervisor))
		},
		release: func(t system, c call) error { return t.releaseHypervisor(c.ctx, c.held) },
		look:    unseen("it is the host's"),
		adopt:   survives("Adopt finds it first"),
		audit:   rows("aslr", "strict-wx", "full-relro", "program", "environ"),
	},
	plan.KindWorker: {
		acquire: having(system.acquireWorker),
		release: func(t system, c call) error { return t.releaseWorker(c.ctx, c.held) },
		look:    unseen("it is skep itself"),
		adopt:   survives("Adopt starts another one first"),
		audit:   rows("worker"),
	},
	plan.KindNetwork: {
		acquire: having(system.acquireNetwork),
		release: letting(func(t system, s *plan.Network) error {
			t.end(theNetwork, s.Label, networkGrace)
			return t.leaveSegment(s)
		}),
		look:  looking(func(_ system, s *plan.Network) []error { return lookAtNetwork(s) }),
		adopt: letting(system.acquireNetwork), // it ended with its keeper
		audit: rows("network-"),
	},
	plan.KindCapture: {
		acquire: having(system.acquireCapture),
		release: letting(func(t system, s *plan.Capture) error { t.end(theCapture, s.Label, networkGrace/4); return nil }),
		look:    unseen("its tap is looked at"),
		adopt:   letting(system.acquireCapture), // it ended with its keeper
		audit:   rows("capture-"),
	},
	plan.KindTPM: {
		acquire: func(t system, c call) (store.Held, error) { return t.acquireTPM(c.ctx, c.r.ID, c.r.Spec.(*plan.TPM)) },
		release: func(t system, c call) error { return t.releaseTPM(c.ctx, c.held) },
		look:    unseen("its path is skep's own"),
		adopt:   func(t system, c call) error { return t.adoptTPM(c.r.ID, c.r.Spec.(*plan.TPM), c.held) },
		audit:   rows("tpm"),
	},
	plan.KindScreen: {
		acquire: having(system.acquireScreen),
		release: letting(func(t system, s *plan.Screen) error {
			for _, sc := range t.screens {
				sc.close()
			}
			if s.Path == "" {
				return nil
			}
			return removeFile(s.Path)
		}),
		look:  looking(system.lookAtScreen),
		adopt: letting(system.adoptScreen),
		audit: rows("descriptors", "kinds"),
	},
}
