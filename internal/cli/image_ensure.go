package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/image"
	"skep/internal/ocilayout"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) imageEnsure() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "ensure NAME --from DIR",
		Short: "Have an image, imported from a directory where it is missing",
		Long: `Have an image in the store. Where it is missing it is imported from the file NAME or
NAME.anything in a directory, such as one that all nodes of a cluster share. Of
several that do so at once on one host one imports, and the others wait for it.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || from == "" {
				return usage("skep image ensure takes one name and --from a directory")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.ensureImage(cmd.Context(), args[0], from) },
	}
	cmd.Flags().StringVar(&from, "from", "", "the `directory` that has it")
	_ = cmd.RegisterFlagCompletionFunc("from", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	return cmd
}

func (a *app) ensureImage(ctx context.Context, name, from string) error {
	if err := image.ValidName(name); err != nil {
		return err
	}
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	st, err := store.Open(dirs)
	if err != nil {
		return err
	}
	lock, err := st.LockNamed("image-" + name)
	if err != nil {
		return fault.Wrap(fault.Host, err, "", "wait for the image %s", name)
	}
	defer lock.Unlock()
	i, err := image.View(dirs).Get(name)
	if err != nil && ocilayout.Is(from) {
		l, err := ocilayout.Open(from)
		if err != nil {
			return err
		}
		return a.loadImage(ctx, l, name)
	}
	if err != nil {
		file, err := imageIn(from, name)
		if err != nil {
			return err
		}
		in := image.Import{Name: name, File: file}
		if in.Facts, err = probe.ForTools(probe.Options{Dirs: a.dirs}); err != nil {
			return err
		}
		s, err := image.Open(dirs)
		if err != nil {
			return err
		}
		in.Say, in.Later = a.percent(file), a.settleLater
		if i, err = s.Import(ctx, in); err != nil {
			return err
		}
	}
	return a.imported(i, nil)
}

// imageIn is the one file of a directory that an image of that name can be imported from.
func imageIn(dir, name string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fault.Wrap(fault.Input, unwrapPath(err), "", "read %s", dir)
	}
	var found []string
	for _, e := range entries {
		if n := e.Name(); n == name || strings.HasPrefix(n, name+".") && !strings.HasSuffix(n, ".json") {
			found = append(found, n)
		}
	}
	switch len(found) {
	case 0:
		return "", fault.New(fault.Input, "a file of that name, with or without an ending such as .qcow2", "find the image %s in %s", name, dir)
	case 1:
		return filepath.Join(dir, found[0]), nil
	}
	return "", fault.New(fault.Input, "leave one of them", "choose the image %s in %s: there are %s", name, dir, strings.Join(found, ", "))
}
