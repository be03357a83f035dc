package cli

import (
	"context"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/cellfile"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/keeper"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) check() *cobra.Command {
	var onHost bool
	cmd := &cobra.Command{
		Use:   "check FILE…",
		Short: "Say what is wrong with cell files, all of it at once",
		Long: "Check cell files: every mistake in one pass, with its line. Nothing is printed and the status is 0 when all are good.\n" +
			"Arguments for the hypervisor are those of this system's; skep plan --os looks at the other's.\n" +
			"--host looks at this host too: what a start would refuse of its disks, bridges and addresses.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("no cell file given")
			}
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			bad := false
			args, err := a.expand(dirs, args)
			if err != nil {
				return err
			}
			for _, arg := range args {
				err := a.checkOne(cmd.Context(), dirs, arg, onHost)
				if err != nil {
					a.fail(err)
					bad = true
				}
			}
			if bad {
				return shownError{fault.Input}
			}
			return nil
		},
		ValidArgsFunction: a.completeNames,
	}
	cmd.Flags().BoolVar(&onHost, "host", false, "look at what they name on this host, too")
	return cmd
}

func (a *app) checkOne(ctx context.Context, dirs host.Dirs, arg string, onHost bool) error {
	if !onHost {
		c, err := a.load(dirs, arg)
		if err != nil {
			return err
		}
		return plan.CheckArgs(c, hypervisorHere)
	}
	c, p, _, err := a.makePlan(ctx, arg, planFlags{})
	if err != nil {
		return err
	}
	h, err := a.readers()
	if err != nil {
		return err
	}
	return keeper.Look(keeper.Config{Cell: c, Facts: h.Facts, Store: store.View(dirs)}, p)
}

func (a *app) fmt() *cobra.Command {
	var check, stdout bool
	cmd := &cobra.Command{
		Use:   "fmt FILE…",
		Short: "Format cell files in place",
		Long:  "Format cell files in place, as gofmt does Go. - reads standard input and writes standard output.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("no cell file given")
			}
			differ := false
			for _, arg := range args {
				changed, err := a.formatOne(arg, check, stdout)
				if err != nil {
					return err
				}
				differ = differ || changed
			}
			if check && differ {
				return shownError{fault.Host}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "change nothing; list the files that would change and exit 1")
	cmd.Flags().BoolVar(&stdout, "stdout", false, "write to standard output instead")
	return cmd
}

func (a *app) formatOne(path string, check, stdout bool) (changed bool, err error) {
	var src []byte
	if path == "-" {
		src, err = readBounded(a.in)
		stdout = true
	} else {
		src, _, err = readCellFile(path)
	}
	if err != nil {
		return false, err
	}
	out, diags := cellfile.Format(path, src)
	if len(diags) > 0 {
		_ = diags.Render(a.err, src)
		return false, shownError{fault.Input}
	}
	changed = string(out) != string(src)
	switch {
	case check && changed:
		a.printf("%s\n", cell.Printable(path))
	case check, !stdout && !changed:
	case stdout:
		_, err = a.out.Write(out)
	default:
		err = rewrite(path, out)
	}
	if err != nil {
		return changed, fault.Wrap(fault.Host, err, "", "write %s", path)
	}
	return changed, nil
}

// rewrite replaces a file as a whole and keeps its mode and its owner, and the
// link where it is named by one.
func rewrite(path string, b []byte) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := store.WriteDurable(path, b); err != nil {
		return err
	}
	if was, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		if err := os.Lchown(path, int(was.Uid), int(was.Gid)); err != nil {
			return err
		}
	}
	return os.Chmod(path, info.Mode().Perm())
}
