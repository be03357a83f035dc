package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/disk"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) diskCopy() *cobra.Command {
	return &cobra.Command{
		Use:   "copy NAME DISK FILE",
		Short: "Copy a disk to a new file, as it is at one moment",
		Long: `Copy a disk of a cell to a file that is not there yet, in the format that it
has. "uefi-vars" are its UEFI variables.

The guest of a running cell is paused meanwhile, so that the copy is as the disk
is at one moment; a guest that starts from it finds what it would find after a
power failure. Where the file system can share blocks, as XFS and btrfs, that is
a moment; elsewhere it takes as long as the copying, which is said. That is done
by a process in a jail of its own, which has nothing but the disk and the file:
what is copied is the guest's.`,
		ValidArgsFunction: a.completeOneDisk,
		Args:              exactArgs(3, "a cell, a disk and a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			a.adoptFirst(cmd.Context(), dirs, args[0])
			c, err := a.loadRunning(dirs, args[0])
			if err != nil {
				return err
			}
			d, err := findDisk(dirs, c, args[1])
			if err != nil {
				return err
			}
			path, err := filepath.Abs(args[2])
			if err != nil {
				return fault.Wrap(fault.Host, err, "", "copy to %s", args[2])
			}
			return a.copyDisk(cmd.Context(), dirs, c, d, path)
		},
	}
}

// loadRunning is load, but of a cell that runs it is what runs: its file may say
// something else by now.
func (a *app) loadRunning(dirs host.Dirs, arg string) (*cell.Cell, error) {
	st := store.View(dirs)
	if !isPath(arg) && st.Held(arg) {
		if s, _, err := st.ReadDetail(arg); err == nil && s.Cell != nil {
			return s.Cell, nil
		}
	}
	c, err := a.load(dirs, arg)
	if err != nil || !st.Held(c.Name) {
		return c, err
	}
	if s, _, err := st.ReadDetail(c.Name); err == nil && s.Cell != nil {
		return s.Cell, nil
	}
	return c, nil
}

// copyDisk copies while nobody writes: the cell is kept from starting, or its
// guest is paused.
func (a *app) copyDisk(ctx context.Context, dirs host.Dirs, c *cell.Cell, d *plan.Disk, path string) error {
	st, err := store.Open(dirs)
	if err != nil {
		return err
	}
	if !st.Held(c.Name) {
		lock, err := st.LockCell(c.Name)
		if err != nil {
			return err
		}
		defer lock.Unlock()
		return a.copyNow(ctx, st, d, path, true, c.Jail.AllowMissing)
	}
	cl, err := keeper.Dial(st.RunDir(c.Name))
	if err != nil {
		return fault.Wrap(fault.Host, err, "skep ps shows what it does", "pause %s", c.Name)
	}
	defer cl.Close()
	// The copy gets its name once it is known that the guest stood still all the time.
	if exists(path) {
		return fault.New(fault.Input, "name a file that is not there yet", "copy to %s: it already exists", path)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fault.Wrap(fault.Input, err, "mkdir -p "+filepath.Dir(path), "copy to %s", path)
	}
	defer os.RemoveAll(dir)
	begin, aside := time.Now(), filepath.Join(dir, "copy")
	err = cl.Paused(ctx, "skep disk copy", func() error { return a.copyNow(ctx, st, d, aside, false, c.Jail.AllowMissing) })
	if err != nil {
		return fault.Wrap(fault.Host, err, "try it again", "copy disk %q of %s", d.Label, c.Name)
	}
	if err := disk.Place(aside, path); err != nil {
		return fault.Wrap(fault.Input, err, "name a file that is not there yet", "copy to %s", path)
	}
	a.note("%s was paused for %s", c.Name, time.Since(begin).Round(time.Millisecond))
	return nil
}

func (a *app) copyNow(ctx context.Context, st *store.Store, d *plan.Disk, path string, locked bool, allowMissing []string) error {
	src, err := disk.OpenForCopy(d, locked)
	if err != nil {
		keeper.NameHolders(st, err)
		return err
	}
	defer src.Close()
	defer a.slow("copying %s", d.Path)()
	return disk.Copy(src, path, func(to, from *os.File) error {
		size, err := from.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		h, err := a.readers()
		if err != nil {
			return err
		}
		h.AllowMissing = allowMissing
		return h.Copy(ctx, to, from, size, nil)
	})
}

func (a *app) diskGrow() *cobra.Command {
	return &cobra.Command{
		Use:   "grow NAME DISK SIZE",
		Short: "Make a disk of a cell larger",
		Long: `Make a disk of a cell larger: an image file or a volume, to a size such as 40G. It
never gets smaller. Partitions and file systems on it are the guest's to enlarge.
A size in the cell file stays as it is: it is only for a disk that is missing.

On Linux the guest of a running cell sees the new size at once, if its disk is an
image file. No file becomes larger than limits.disk says; without that, the bound
of the hypervisor's files is raised, which takes the right to do so.`,
		ValidArgsFunction: a.completeOneDisk,
		Args:              exactArgs(3, "a cell, a disk and a size"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			size, err := cell.ParseSize(args[2])
			if err != nil {
				return fault.New(fault.Input, "such as 40G", "understand the size %q: %v", args[2], err)
			}
			a.adoptFirst(cmd.Context(), dirs, args[0])
			c, err := a.loadRunning(dirs, args[0])
			if err != nil {
				return err
			}
			d, err := findDisk(dirs, c, args[1])
			if err != nil {
				return err
			}
			if d.Label == varsName && d.Format == "" {
				return fault.New(fault.Input, "", "make the UEFI variables grow: their size is the firmware's")
			}
			st, err := store.Open(dirs)
			if err != nil {
				return err
			}
			if st.Held(c.Name) {
				return growRunning(cmd.Context(), st, c, d, size)
			}
			lock, err := st.LockCell(c.Name)
			if err != nil {
				return err
			}
			defer lock.Unlock()
			if err := disk.Grow(d, size); err != nil {
				keeper.NameHolders(st, err)
				return err
			}
			return nil
		},
	}
}

// growRunning has the keeper of a cell do it.
func growRunning(ctx context.Context, st *store.Store, c *cell.Cell, d *plan.Disk, size cell.Size) error {
	if size <= 0 || size%512 != 0 {
		return fault.New(fault.Input, "", "make disk %q of %s grow to %d bytes: a disk is made of 512-byte sectors", d.Label, c.Name, size)
	}
	cl, err := keeper.Dial(st.RunDir(c.Name))
	if err != nil {
		return fault.Wrap(fault.Host, err, "skep ps shows what it does", "make disk %q of %s grow", d.Label, c.Name)
	}
	defer cl.Close()
	return cl.Grow(ctx, d.Label, size)
}

// exactArgs wants so many arguments.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("run skep %s: name %s", fmt.Sprintf("disk %s", cmd.Name()), what)
		}
		return nil
	}
}

// completeOneDisk completes a cell, one disk of it, and then a file.
func (a *app) completeOneDisk(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return a.completeDisks(cmd, args, typed)
}
