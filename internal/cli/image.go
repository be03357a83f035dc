package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/image"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

// imageVersion is the version of the JSON form of image ls and show.
const imageVersion = 1

func (a *app) image() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Keep images that cells start from",
		Long: `Keep images that cells start from: disk "root" { image = "debian-13" }. An image
is read-only, and known by the SHA-256 of what a guest sees.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q", "image "+args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.imageImport(), a.imageEnsure(), a.imageList(), a.imageShow(), a.imageVerify(), a.imageRemove(), a.imageExport(), a.imageSave(), a.imageLoad())
	return cmd
}

func (a *app) imageImport() *cobra.Command {
	in := image.Import{}
	var most string
	cmd := &cobra.Command{
		Use:   "import NAME FILE",
		Short: "Take a copy of a disk image into the store",
		Long: `Take a copy of a disk image into the store: qcow2, raw, vmdk, vdi, vhdx, vhd, or
raw packed by xz, gzip or zstd. What the file is shows by how it begins;
--format says so instead. Whatever reads it is in a jail of its own, with this
file, an empty one and nothing else. An image that lies on another file is
refused.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("run skep image import: name an image and a file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in.Name, in.File = args[0], args[1]
			if most != "" {
				if in.MaxSize, err = cell.ParseSize(most); err != nil {
					return fault.New(fault.Input, "such as 4T", "understand the size %q: %v", most, err)
				}
			}
			if err := image.ValidName(in.Name); err != nil {
				return err
			}
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			if _, err := store.Open(dirs); err != nil {
				return err
			}
			if in.Facts, err = probe.ForTools(probe.Options{Dirs: a.dirs}); err != nil {
				return err
			}
			s, err := image.Open(dirs)
			if err != nil {
				return err
			}
			in.Say, in.Later = a.percent(in.File), a.settleLater
			i, err := s.Import(cmd.Context(), in)
			return a.imported(i, err)
		},
	}
	cmd.Flags().StringVar(&in.Format, "format", "", "what the file is: "+strings.Join(image.Formats, ", "))
	cmd.Flags().StringVar(&most, "max-size", "", "the largest disk that is taken (default "+image.DefaultMax.String()+")")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(image.Formats, cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// imported says what was imported.
func (a *app) imported(i image.Image, err error) error {
	if err != nil {
		return err
	}
	if i.Digest == "" {
		a.printf("%s  %s\n", i.Name, cell.Size(i.Size))
		a.note("its SHA-256 is being found out; skep image show %s has it", i.Name)
		return nil
	}
	a.printf("%s  %s  %s\n", i.Name, cell.Size(i.Size), i.Digest)
	return nil
}

// settleName is the verb of the process that finds out an image's digest. It is not for people.
const settleName = "image-digest"

// settleLater has a process of its own find out the digests of an image and of what it was imported from. Where it
// is killed, or cannot be started, whoever asks for the image first finds out the image's.
func (a *app) settleLater(name string, source *os.File) {
	exe, err := executable()
	if err != nil {
		return
	}
	cmd := exec.Command(exe, settleName, name)
	cmd.ExtraFiles = []*os.File{source} // number 3
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	cmd.Env = append(os.Environ(), "SKEP_CONFIG_DIR="+dirs.Config, "SKEP_STATE_DIR="+dirs.State, "SKEP_RUN_DIR="+dirs.Run)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if cmd.Start() == nil {
		_ = cmd.Process.Release()
	}
}

func (a *app) imageSettle() *cobra.Command {
	return &cobra.Command{
		Use: settleName + " NAME", Short: "Find out the digest of an image (started by image import)", Hidden: true, Args: oneImage,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := a.images().SettledFrom(args[0], os.NewFile(3, "source"))
			return err
		},
	}
}

// percent says now and again how far a long step has come.
func (a *app) percent(what string) func(step string, done float64) {
	var mu sync.Mutex
	next := time.Now().Add(time.Second)
	return func(step string, done float64) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.After(next) {
			next = now.Add(2 * time.Second)
			a.note("%s %s: %d %%", step, what, int(done*100))
		}
	}
}

func (a *app) images() *image.Store { return image.View(probe.DirsFor(probe.Options{Dirs: a.dirs})) }

// imageJSON is an image as programs see it.
type imageJSON struct {
	image.Image
	Users []string `json:"users"` // cells that keep a layer on it
	File  string   `json:"file"`
}

func (a *app) imageList() *cobra.Command {
	var asProgram bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the images",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			s := a.images()
			all, err := s.List()
			if asProgram {
				list := []imageJSON{}
				for _, i := range all {
					settled, serr := s.Settled(i.Name)
					if err = errors.Join(err, serr); serr == nil {
						i = settled
					}
					list = append(list, imageJSON{i, append([]string{}, s.Users(i.Name)...), s.File(i.Name)})
				}
				if jerr := a.json(struct {
					Version int         `json:"version"`
					Images  []imageJSON `json:"images"`
				}{imageVersion, list}); jerr != nil {
					return jerr
				}
				return err
			}
			w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tSIZE\tIMPORTED\tDIGEST\tUSED BY")
			for _, i := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\t%.19s\t%s\n", i.Name, cell.Size(i.Size), ago(i.Imported), orDash(i.Digest), orDash(strings.Join(s.Users(i.Name), " ")))
			}
			if ferr := w.Flush(); ferr != nil {
				return ferr
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

// oneImage wants exactly one image.
func oneImage(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("skep image %s takes one image, got %d", cmd.Name(), len(args))
	}
	return nil
}

func (a *app) completeImages(_ *cobra.Command, args []string, typed string) (names []string, d cobra.ShellCompDirective) {
	all, _ := a.images().List()
	for _, i := range all {
		if len(args) == 0 && strings.HasPrefix(i.Name, typed) {
			names = append(names, i.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) imageShow() *cobra.Command {
	var asProgram bool
	cmd := &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one image",
		Args:              oneImage,
		ValidArgsFunction: a.completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			s := a.images()
			i, err := s.Settled(args[0])
			if err != nil {
				return err
			}
			users := append([]string{}, s.Users(i.Name)...)
			if asProgram {
				return a.json(imageJSON{i, users, s.File(i.Name)})
			}
			a.printf("name      %s\nsize      %s (%d bytes)\ndigest    %s\nsource    %s (%s, %d bytes, %s)\nimported  %s\nfile      %s\nused by   %s\n",
				i.Name, cell.Size(i.Size), i.Size, i.Digest, cell.Printable(i.Source.Name), i.Source.Format, i.Source.Size, i.Source.Digest,
				i.Imported.Format(time.RFC3339), s.File(i.Name), orDash(strings.Join(users, " ")))
			return s.Check(i)
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

func (a *app) imageVerify() *cobra.Command {
	return &cobra.Command{
		Use:               "verify NAME…",
		Short:             "Read all of an image and compare its digest",
		ValidArgsFunction: a.completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("no image given; name one")
			}
			return a.eachOf(args, 1, func(name string) error {
				defer a.slow("reading %s", name)()
				i, err := a.images().Verify(name)
				if err == nil {
					a.printf("%s  %s\n", i.Name, i.Digest)
				}
				return err
			})
		},
	}
}

func (a *app) imageRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "rm NAME…",
		Short: "Remove images that nobody uses",
		Long: `Remove images. One that a cell runs on, or that a cell keeps a layer on, is
refused.`,
		ValidArgsFunction: a.completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("no image given; name one")
			}
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			s, err := image.Open(dirs)
			if err != nil {
				return err
			}
			return a.eachOf(args, 1, func(name string) error {
				err := s.Remove(name)
				keeper.NameHolders(store.View(dirs), err)
				return err
			})
		},
	}
}

func (a *app) imageExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export NAME FILE",
		Short: "Write an image to a new raw file",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("run skep image export: name an image and a file")
			}
			return nil
		},
		ValidArgsFunction: a.completeImages,
		RunE: func(cmd *cobra.Command, args []string) error {
			defer a.slow("writing %s", args[1])()
			h, err := a.readers()
			if err != nil {
				return err
			}
			return a.images().Export(args[0], args[1], func(to, from *os.File) error {
				info, err := from.Stat()
				if err != nil {
					return err
				}
				return h.Copy(cmd.Context(), to, from, info.Size(), nil)
			})
		},
	}
}
