package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/store"
)

func (a *app) check() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Say what is wrong with cell files, all of it at once",
		Long:  "Check cell files: every mistake in one pass, with its line. Nothing is printed and the status is 0 when all are good.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("check nothing: name a cell file")
			}
			dirs := host.DirsFor(host.Options{Dirs: a.dirs})
			bad := false
			for _, arg := range args {
				if _, err := a.load(dirs, arg); err != nil {
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
}

func (a *app) fmt() *cobra.Command {
	var check, stdout bool
	cmd := &cobra.Command{
		Use:   "fmt FILE…",
		Short: "Format cell files in place",
		Long:  "Format cell files in place, as gofmt does Go. - reads standard input and writes standard output.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("format nothing: name a cell file")
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
	out, diags := cell.Format(path, src)
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

func (a *app) new() *cobra.Command {
	var stdout bool
	cmd := &cobra.Command{
		Use:   "new NAME|FILE",
		Short: "Write a commented cell file",
		Long:  "Write a commented cell file into the configuration directory, or to a path that ends with .hcl. A file that is there is left alone.",
		Args:  oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, path := args[0], args[0]
			dirs := host.DirsFor(host.Options{Dirs: a.dirs})
			if isPath(name) {
				if filepath.Ext(path) != ".hcl" {
					return fault.New(fault.Input, "skep new web, or skep new ./web.hcl", "write %s: a cell file's name ends in .hcl", path)
				}
				base := filepath.Base(path)
				name = base[:len(base)-len(filepath.Ext(base))]
			} else {
				path = cellFile(dirs, name)
			}
			if err := validName(name); err != nil {
				return err
			}
			if stdout {
				_, err := a.out.Write(cell.Template(name))
				return err
			}
			// The directory of cells is made where it is missing; one that a path names
			// may be a slip of the pen.
			if dir := filepath.Dir(path); isPath(args[0]) {
				if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
					return fault.New(fault.Input, "mkdir -p "+dir, "write %s: there is no directory %s", path, dir)
				}
			}
			return a.writeNew(path, cell.Template(name))
		},
	}
	cmd.Flags().BoolVar(&stdout, "stdout", false, "write to standard output instead")
	return cmd
}

func (a *app) writeNew(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fault.Wrap(fault.Host, err, "", "write %s", path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Input, "choose another name, or edit it", "write %s: it is there already", path)
	}
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "write %s", path)
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
		return fault.Wrap(fault.Host, err, "", "write %s", path)
	}
	a.printf("%s\n", cell.Printable(path))
	return nil
}
