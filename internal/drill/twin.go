package drill

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"skep/internal/cell"
	"skep/internal/drill/attack"
	"skep/internal/drill/bait"
	"skep/internal/plan"
)

// twin is a cell like c that shares nothing with it: a name of its own, scratch files in place of its
// disks, no more memory than the drill can use up without harm. It is drilled instead of c, which may
// be running. The notes say what differs and could matter.
func twin(c *cell.Cell, name, scratch string) (t *cell.Cell, notes []string, err error) {
	copied := *c
	t = &copied
	t.Name, t.File = name, ""
	t.Memory = min(c.Memory, attack.TwinMemory)
	t.Jail.Limits.MemoryOverhead = min(c.Jail.Limits.MemoryOverhead, attack.TwinOverhead)
	if t.Jail.Limits.CPU == 0 {
		t.Jail.Limits.CPU = attack.TwinCPU
	}
	t.Start, t.After, t.Bridges, t.GDB = "", nil, nil, nil
	t.Disks = nil
	drives := slices.DeleteFunc(c.Drives(), cell.Disk.MadeAnew)
	t.Results = nil
	for i, d := range drives {
		path, err := bait.ScratchDisk(scratch, fmt.Sprintf("disk-%d", i))
		if err != nil {
			return nil, nil, err
		}
		own := cell.Disk{Label: d.Label, File: path, Format: cell.FormatRaw, ReadOnly: d.ReadOnly, Model: d.Model}
		if d.Layered() { // the layer goes with what is kept of the twin
			own.File, own.Base, own.Disposable = "", path, d.Disposable
		}
		t.Disks = append(t.Disks, own)
	}
	if err := ownMedia(t, scratch); err != nil {
		return nil, nil, err
	}
	if len(c.NICs) > 0 {
		t.NICs = nil
		notes = append(notes, "its network cards are left out: whoever has one may speak on its bridge; what serves them is drilled by itself")
	}
	for what, there := range map[string]bool{
		"shares": len(c.Shares) > 0, "passthru": len(c.Passthru) > 0, "jail.root": c.Jail.Root != "",
	} {
		if there {
			notes = append(notes, what+" is left out: the twin shares nothing with the cell")
		}
	}
	slices.Sort(notes)
	t.Shares, t.Passthru, t.Jail.Root, t.Console.Device = nil, nil, "", ""
	if c.Screen != nil {
		s := *c.Screen
		s.Listen, s.PasswordFile = "", ""
		t.Screen = &s
	}
	return t, notes, nil
}

// ownMedia has a twin's images made of a scratch file, and its seed of nothing.
func ownMedia(t *cell.Cell, scratch string) error {
	files := slices.Clone(t.Files)
	for i := range files {
		path := filepath.Join(scratch, fmt.Sprintf("sample-%d", i))
		if err := os.WriteFile(path, []byte("a twin's sample\n"), 0o600); err != nil {
			return err
		}
		files[i].Paths = []string{path}
	}
	t.Files = files
	if t.Seed != nil {
		t.Seed = &cell.Seed{Model: t.Seed.Model}
	}
	return nil
}

// substitute puts the attacker where the plan has the hypervisor, and changes nothing else: its file is in
// the hypervisor's place in the rootfs, and it has its descriptors. How many arguments it has is the
// number of the descriptor where commands come in.
func substitute(p *plan.Plan, program string) {
	for _, h := range plan.Specs[*plan.Hypervisor](p) {
		commands := 0
		for _, d := range h.Descriptors {
			if d.Name == attack.CommandSocket {
				commands = d.Number
			}
		}
		h.Argv = make([]string, max(1, commands))
		h.Argv[0] = Name
		for _, rootfs := range plan.Specs[*plan.Rootfs](p) {
			for i := range rootfs.Files {
				if rootfs.Files[i].Inside == h.Path {
					rootfs.Files[i].Host = program
				}
			}
		}
	}
}
