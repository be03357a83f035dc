package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/memdump"
	"skep/internal/probe"
	"skep/internal/reader"
	"skep/internal/store"
)

func (a *app) dump() *cobra.Command {
	var format string
	var force bool
	cmd := &cobra.Command{
		Use:   "dump NAME FILE",
		Short: "Write a running guest's memory to a file",
		Long: `Write the memory of a running or paused guest to a file that is not there yet, as
it is at one moment: the guest stands still meanwhile. Pages of zeros are holes in
the file.

--format elf is an ELF core file, always of 64 bits, with the processors'
registers where the guest is in 64-bit mode on Linux. raw has each byte at its
physical address. kdump is QEMU's own, packed, for crash(8); it is not looked
into. Where a guest has a screen, 0xa0000 to 0xbffff is no memory: what is
missing is said.

What the hypervisor writes is hostile: it is read by a process in a jail of its
own, which has nothing but that and the file.`,
		Args:              exactArgs(2, "a cell and a file"),
		ValidArgsFunction: a.completeOneCellThenFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(memdump.Formats(), format) {
				return usage("--format must be one of %s, got %q", strings.Join(memdump.Formats(), ", "), format)
			}
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			name, err := a.nameOf(dirs, args[0])
			if err == nil {
				err = a.mustKnow(dirs, name)
			}
			if err != nil {
				return err
			}
			path, err := filepath.Abs(args[1])
			if err != nil {
				return fault.Wrap(fault.Host, err, "", "dump to %s", args[1])
			}
			return a.dumpTo(cmd.Context(), dirs, name, path, format, force)
		},
	}
	cmd.Flags().StringVar(&format, "format", memdump.ELF, strings.Join(memdump.Formats(), ", "))
	cmd.Flags().BoolVarP(&force, "force", "f", false, "replace a file that is there")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(memdump.Formats(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) completeOneCellThenFile(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return a.completeNames(cmd, args, typed)
}

func (a *app) dumpTo(ctx context.Context, dirs host.Dirs, name, path, format string, force bool) (err error) {
	st := store.View(dirs)
	s, held, err := st.ReadDetail(name)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "read the state of %s", name)
	}
	if !held || s.Cell == nil {
		return fault.Cannot(fault.Host, "skep up "+name+" starts it", "dump the memory of", name, "it is not running")
	}
	h, err := a.readers()
	if err != nil {
		return err
	}
	h.AllowMissing = s.Cell.Jail.AllowMissing
	to, err := createNew(path, force)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, to.Close())
		if err != nil {
			_ = os.Remove(path) // ours, and half of one is worse than none
		}
	}()
	defer a.slow("dumping %s", name)()
	job := memdump.Job{Format: format, Memory: int64(s.Cell.Memory)}
	report, err := a.dumpThrough(ctx, h, st.RunDir(name), to, job)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "dump the memory of %s", name)
	}
	sum, err := sumOf(to)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "read %s", path)
	}
	a.made(ctx, st.RunDir(name), "skep dump", path, sum)
	a.sayDump(name, path, format, report)
	return nil
}

// createNew makes a file that is not there, or where that is asked for one in the place of another.
func createNew(path string, force bool) (*os.File, error) {
	if force {
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return nil, fault.Cannot(fault.Input, "", "replace", path, "it is no plain file")
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fault.Wrap(fault.Host, err, "", "replace %s", path)
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fault.Cannot(fault.Input, "choose another name; -f replaces it", "write", path, "it exists")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Input, err, "", "write %s", path)
	}
	return f, nil
}

// dumpThrough has the hypervisor write into a pipe, and a jailed reader make the file of what comes out.
func (a *app) dumpThrough(ctx context.Context, h reader.Host, runDir string, to *os.File, job memdump.Job) (memdump.Report, error) {
	cl, err := keeper.Dial(runDir)
	if err != nil {
		return memdump.Report{}, fault.Fail(fault.Host, "", "it is not running")
	}
	defer cl.Close()
	r, w, err := blockingPipe()
	if err != nil {
		return memdump.Report{}, err
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dumped := make(chan error, 1)
	go func() {
		err := cl.Dump(ctx, "skep dump", job.Format, w)
		w.Close()
		dumped <- err
	}()
	report, err := h.Memory(ctx, to, r, job)
	r.Close() // a hypervisor that still writes is told so
	if err != nil {
		cancel()
	}
	derr := <-dumped
	var f *fault.Error
	if err == nil || errors.As(derr, &f) && strings.Contains(err.Error(), "ends early") {
		err = derr // the cause, of which the reader saw only the end
	}
	return report, err
}

// made tells the cell's events of a file. That it could not be told is no failure: the file is there.
func (a *app) made(ctx context.Context, runDir, who, path, sum string) {
	cl, err := keeper.Dial(runDir)
	if err != nil {
		return
	}
	defer cl.Close()
	_ = cl.Made(ctx, who, path, sum)
}

// sumOf is the SHA-256 of a file.
func sumOf(f *os.File) (string, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func (a *app) sayDump(name, path, format string, r memdump.Report) {
	if format == memdump.Kdump {
		a.printf("%s: memory in %s, packed in %d KiB\n", name, path, r.Size>>10)
		return
	}
	a.printf("%s: %d KiB of memory in %s, %d KiB of it not zero\n", name, r.Bytes>>10, path, r.Written>>10)
	ranges := func(all []memdump.Range) string {
		var said []string
		for _, one := range all {
			said = append(said, fmt.Sprintf("0x%x-0x%x", one.From, one.From+one.Size-1))
		}
		return strings.Join(said, ", ")
	}
	if len(r.Missing) > 0 {
		a.note("no memory of the guest's, and not in the dump: %s", ranges(r.Missing))
	}
	if len(r.Left) > 0 {
		a.note("left out of a raw file: %s", ranges(r.Left))
	}
	if format == memdump.ELF && !r.Notes {
		a.note("the registers of the processors are not in it: the guest is not in 64-bit mode, or bhyve runs it")
	}
}
