package cli

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/layout"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/store"
)

// varsName is what the UEFI variables of a cell are called beside its disks. A
// disk of that name comes first.
const varsName = "uefi-vars"

// tpmName is that of what its TPM remembers.
const tpmName = "tpm"

func (a *app) disk() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "disk",
		Short: "List, copy, grow and remove the disks of a cell",
		Long:  "What else is done with disks is in cell files: size = \"20G\" makes one that is missing.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q", "disk "+args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.diskList(), a.diskCopy(), a.diskGrow(), a.diskRemove())
	return cmd
}

func (a *app) diskRemove() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "rm NAME [DISK…]",
		Short: "Remove disks of a cell that does not run, for good",
		Long: `Remove disks of a cell that does not run, for good: those that are named, or all
of them and its UEFI variables, which go by the name "uefi-vars". Nothing else
in skep removes a disk. The cell's name is asked for unless --yes is given.

Image files and volumes that the cell may write to are removed; ISO images, raw
devices and what is read only are not, nor is a disk that another cell file
names, or one that is in use. The cell file and the logs stay.`,
		ValidArgsFunction: a.completeDisks,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("no cell given; name one")
			}
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			c, err := a.load(dirs, args[0])
			if err != nil {
				return err
			}
			disks, err := chosenDisks(dirs, c, args[1:])
			if err != nil {
				return err
			}
			st, err := store.Open(dirs)
			if err != nil {
				return err
			}
			if st.Held(c.Name) || keeper.Orphaned(st, c.Name) {
				return fault.Cannot(fault.Input, "skep down "+c.Name+" stops it", "remove disks of", c.Name, "it is running")
			}
			// A hypervisor that a dead keeper left before its guest ran has them open.
			if _, _, err := keeper.Sweep(cmd.Context(), st, c.Name); err != nil {
				return fault.Wrap(fault.Host, err, "", "release what %s held", c.Name)
			}
			// While its lock is held the cell is not started.
			lock, err := st.LockCell(c.Name)
			if err != nil {
				return err
			}
			defer lock.Unlock()
			if !yes {
				if err := a.confirm(c.Name, disks); err != nil {
					return err
				}
			}
			return a.removeDisks(st, disks)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// completeDisks completes a cell's name, and then the names of its disks.
func (a *app) completeDisks(cmd *cobra.Command, args []string, typed string) (names []string, d cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeNames(cmd, args, typed)
	}
	d = cobra.ShellCompDirectiveNoFileComp
	c := peek(probe.DirsFor(probe.Options{Dirs: a.dirs}), args[0])
	if c == nil {
		return nil, d
	}
	for _, disk := range append(kept(c), cell.Disk{Label: varsName}, cell.Disk{Label: tpmName}) {
		if strings.HasPrefix(disk.Label, typed) && !slices.Contains(args[1:], disk.Label) {
			names = append(names, disk.Label)
		}
	}
	return names, d
}

// kept are the disks that a cell has while it does not run, too: not the images that are made at each start.
func kept(c *cell.Cell) []cell.Disk { return slices.DeleteFunc(c.Drives(), cell.Disk.MadeAnew) }

// disksOfCell are the disks of a cell, and last its UEFI variables and its TPM's state.
func disksOfCell(dirs host.Dirs, c *cell.Cell) (all []*plan.Disk) {
	for _, d := range kept(c) {
		all = append(all, plan.DiskOf(d, layersOf(dirs, c.Name)))
	}
	vars := &plan.Disk{Label: varsName, Type: plan.DiskFile, Path: filepath.Join(store.View(dirs).StateDir(c.Name), layout.VarsOf(c.SecureBoot))}
	if !slices.ContainsFunc(all, func(d *plan.Disk) bool { return d.Label == varsName }) {
		all = append(all, vars)
	}
	if c.TPM != nil && !slices.ContainsFunc(all, func(d *plan.Disk) bool { return d.Label == tpmName }) {
		all = append(all, &plan.Disk{Label: tpmName, Type: plan.DiskFile, Path: filepath.Join(store.View(dirs).StateDir(c.Name), layout.TPM)})
	}
	return all
}

// layersOf are the layers of a cell on this host.
func layersOf(dirs host.Dirs, name string) plan.Layers {
	return plan.Layers{Dirs: dirs, Cell: name, Format: disk.LayerFormat}
}

// findDisk is the disk of a cell that goes by a name.
func findDisk(dirs host.Dirs, c *cell.Cell, label string) (*plan.Disk, error) {
	for _, d := range disksOfCell(dirs, c) {
		if d.Label == label {
			return d, nil
		}
	}
	return nil, fault.New(fault.Input, "skep plan "+c.Name+" lists them", "find a disk %q of %s", label, c.Name)
}

// chosenDisks are the disks that are named, or all that the cell may write to.
func chosenDisks(dirs host.Dirs, c *cell.Cell, names []string) (chosen []*plan.Disk, err error) {
	for _, n := range names {
		d, err := findDisk(dirs, c, n)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, d)
	}
	if len(names) == 0 {
		chosen = slices.DeleteFunc(disksOfCell(dirs, c), func(d *plan.Disk) bool {
			return d.ReadOnly || d.Type == plan.DiskISO || d.Type == plan.DiskDevice
		})
	}
	return chosen, othersDisks(dirs, c, chosen)
}

// othersDisks refuses a disk that another cell names as well: in its file, in the
// file that it was last started from, or as it runs.
func othersDisks(dirs host.Dirs, c *cell.Cell, chosen []*plan.Disk) error {
	for _, other := range knownCells(dirs) {
		if other.Name == c.Name {
			continue
		}
		for _, theirs := range kept(other) {
			for _, d := range chosen {
				if sameDisk(plan.DiskOf(theirs, layersOf(dirs, other.Name)).Path, d.Path) || sameDisk(theirs.Base, d.Path) {
					return fault.New(fault.Input, "take it out of the file of that cell first; skep show "+other.Name+" says which that is",
						"remove disk %q (%s): the cell %s has it, too", d.Label, d.Path, other.Name)
				}
			}
		}
	}
	return nil
}

// knownCells are all cells that there are files of, or that the state knows: a
// cell may have been started by the path of its file, and run as its file no
// longer says. Of one whose file cannot be read there are the disks that its guest
// has had.
func knownCells(dirs host.Dirs) (all []*cell.Cell) {
	add := func(c *cell.Cell) bool {
		if c != nil {
			all = append(all, c)
		}
		return c != nil
	}
	st := store.View(dirs)
	names, _ := st.Names()
	names = append(names, cellFiles(dirs)...)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		read := add(peek(dirs, name))
		if s, _, err := st.ReadDetail(name); err == nil {
			add(s.Cell)
			read = isPath(s.File) && add(peek(dirs, s.File)) || read
		}
		if !read {
			had := &cell.Cell{Name: name}
			for _, path := range st.HadPaths(name) {
				had.Disks = append(had.Disks, cell.Disk{File: path})
			}
			add(had)
		}
	}
	return all
}

// sameDisk says whether two paths lead to one file.
func sameDisk(a, b string) bool {
	if a == b {
		return true
	}
	first, err1 := os.Stat(a)
	second, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(first, second)
}

// confirm asks for the name of the cell: a yes is typed too easily.
func (a *app) confirm(name string, disks []*plan.Disk) error {
	for _, d := range disks {
		a.note("disk %s: %s", d.Label, d.Path)
	}
	a.note("these are removed for good; type the cell's name to go on:")
	line, err := bufio.NewReader(io.LimitReader(a.in, 256)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fault.Wrap(fault.Host, err, "", "read the answer")
	}
	if strings.TrimSpace(line) != name {
		return fault.New(fault.Input, "type "+name+", or say --yes", "remove disks of %s without being sure: nothing is removed", name)
	}
	return nil
}

// removeDisks removes what it can and fails if any of them stays.
func (a *app) removeDisks(st *store.Store, disks []*plan.Disk) error {
	var failed []error
	for _, d := range disks {
		err := disk.Remove(d)
		keeper.NameHolders(st, err)
		switch {
		case errors.Is(err, disk.ErrGone):
			a.note("disk %s: %s is not there", d.Label, d.Path)
		case err == nil:
			a.printf("%s\n", cell.Printable(d.Path))
		default:
			failed = append(failed, err)
		}
	}
	return a.some(failed, len(disks), "disks")
}
