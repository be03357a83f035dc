package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/image"
	"skep/internal/ocilayout"
	"skep/internal/probe"
	"skep/internal/store"
)

func (a *app) imageSave() *cobra.Command {
	return &cobra.Command{
		Use:   "save NAME… DIR|FILE.tar",
		Short: "Write images into an OCI image layout",
		Long: `Write images into an OCI image layout: a directory, which is made where it is
missing and added to where it is there, or a new file that ends in .tar. Any
registry or USB stick can carry it. Each image is a manifest by its name, with
its description and one layer: the disk, packed by zstd.`,
		ValidArgsFunction: a.completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("run skep image save: name images, and a directory or a tar file")
			}
			names, to := args[:len(args)-1], args[len(args)-1]
			s, err := image.Open(probe.DirsFor(probe.Options{Dirs: a.dirs}))
			if err != nil {
				return err
			}
			say := a.percent(to)
			if strings.HasSuffix(to, ".tar") {
				return ocilayout.SaveTar(cmd.Context(), s, names, to, say)
			}
			return ocilayout.Save(cmd.Context(), s, names, to, say)
		},
	}
}

func (a *app) imageLoad() *cobra.Command {
	return &cobra.Command{
		Use:   "load DIR|FILE.tar [NAME…]",
		Short: "Take images from an OCI image layout",
		Long: `Take images into the store from an OCI image layout that skep image save has
written, all of them or those that are named. Whatever unpacks a disk is in a jail
of its own, and what comes out is compared with the description.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("run skep image load: name a directory or a tar file")
			}
			l, err := ocilayout.Open(args[0])
			if err != nil {
				return err
			}
			names := args[1:]
			if len(names) == 0 {
				names = l.Names()
			}
			if len(names) == 0 {
				return fault.New(fault.Input, "skep image save writes one", "load from %s: there is no image in it", args[0])
			}
			return a.eachOf(names, 1, func(name string) error { return a.loadImage(cmd.Context(), l, name) })
		},
	}
}

func (a *app) loadImage(ctx context.Context, l *ocilayout.Layout, name string) error {
	if err := image.ValidName(name); err != nil {
		return err
	}
	s, in, err := a.importing(name)
	if err != nil {
		return err
	}
	in.Say = a.percent(name)
	i, err := l.Load(ctx, s, name, in)
	if err == nil {
		a.printf("%s  %s\n", i.Name, i.Digest)
	}
	return err
}

// importing is the store, and what an import needs to know.
func (a *app) importing(name string) (*image.Store, image.Import, error) {
	in := image.Import{Name: name}
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	if _, err := store.Open(dirs); err != nil {
		return nil, in, err
	}
	facts, err := probe.ForTools(probe.Options{Dirs: a.dirs})
	if err != nil {
		return nil, in, err
	}
	in.Facts = facts
	s, err := image.Open(dirs)
	return s, in, err
}
