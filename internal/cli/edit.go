package cli

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) edit() *cobra.Command {
	return &cobra.Command{
		Use:   "edit NAME|FILE",
		Short: "Edit a cell file and check it before it is replaced",
		Long: `Edit a copy of a cell file with $VISUAL, $EDITOR or vi. The file is replaced by
it once it has no mistakes; with mistakes the file stays as it was, and the copy
is kept and named. A cell that runs goes on as it was started.`,
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.editCell(cmd.Context(), args[0])
		},
	}
}

func (a *app) editCell(ctx context.Context, arg string) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	path, err := editable(dirs, arg)
	if err != nil {
		return err
	}
	was, path, err := readCellFile(path)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "skep-edit-")
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "edit %s", path)
	}
	draft := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(draft, was, 0o600); err != nil {
		return fault.Wrap(fault.Host, err, "", "edit %s", path)
	}
	if err := a.runEditor(ctx, draft); err != nil {
		return fault.Wrap(fault.Host, err, "VISUAL and EDITOR name an editor; what was written is in "+draft, "edit %s", path)
	}
	now, _, err := readCellFile(draft)
	if err != nil {
		return err
	}
	if bytes.Equal(was, now) {
		a.note("%s is as it was", path)
		return os.RemoveAll(dir)
	}
	c, diags := parse(path, now)
	if len(diags) > 0 {
		_ = diags.Render(a.err, now)
		a.note("%s stays as it was; what was written is in %s", path, draft)
		return shownError{fault.Input}
	}
	if again, _, err := readCellFile(path); err != nil || !bytes.Equal(again, was) {
		return fault.New(fault.Host, "what was written is in "+draft, "replace %s: it was changed meanwhile", path)
	}
	if err := rewrite(path, now); err != nil {
		return fault.Wrap(fault.Host, err, "what was written is in "+draft, "write %s", path)
	}
	if store.View(dirs).Held(c.Name) {
		a.note("%s goes on as it was started; skep restart %s uses the new file", c.Name, c.Name)
	}
	return os.RemoveAll(dir)
}

// editable is the file of the cell that an argument names.
func editable(dirs host.Dirs, arg string) (string, error) {
	if isPath(arg) {
		return arg, nil
	}
	if err := plainName(arg); err != nil {
		return "", err
	}
	path := dirs.CellFile(arg)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if s, _, err := store.View(dirs).ReadState(arg); err == nil && s.File != "" {
			return s.File, trusted(s.File)
		}
		return "", fault.New(fault.Input, "skep new "+arg+" writes it", "edit %s: there is no %s", arg, path)
	}
	return path, trusted(path)
}

// runEditor runs the user's editor on the terminal. As with git and virsh the
// variable may hold flags.
func (a *app) runEditor(ctx context.Context, file string) error {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	words := strings.Fields(editor)
	if len(words) == 0 {
		words = []string{"vi"}
	}
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], file)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.err
	// ^C is the editor's; ignored, it would be for the editor too.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT)
	defer signal.Stop(interrupts)
	return cmd.Run()
}
