package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/plan"
	"skep/internal/probe"
	"skep/internal/store"
	"skep/internal/template"
)

// templateVersion is the version of the JSON form of template ls and show.
const templateVersion = 1

func (a *app) template() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template",
		Short: "Keep booted guests for others to begin from",
		Long: `Keep booted guests for others to begin from: skep template make boots a cell, waits
until it is ready, and keeps its memory, the state of its devices and its disks.
skep run --from and skep up --from begin there, each clone in a jail of its own
with what it writes for itself; all share the memory that none has changed.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q", "template "+args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.templateMake(), a.templateList(), a.templateShow(), a.templateVerify(), a.templateRemove())
	return cmd
}

func (a *app) templateMake() *cobra.Command {
	var o makeOptions
	cmd := &cobra.Command{
		Use:   "make NAME|FILE",
		Short: "Boot a cell, wait until it is ready, and keep it",
		Long: `Boot a cell, wait until it is ready, and keep it as a template. It is ready once its
console has said the text of --when, or, without one, has said something and then
nothing for five seconds. The cell itself is not touched: what boots is a copy of
its disks, or a layer on what they lie on. It is called NAME@make, with the name of
the template, while it boots.

A clone begins at the moment that was kept. What the guest knows by then all clones
know: keys, random numbers, addresses. A kernel with a driver for vmgenid (Linux 5.18
and newer, with CONFIG_VMGENID: Debian 13's, not the cloud kernel of Debian 12) mixes
in a number of its own at each; two clones of another one draw the same. The guest's
clock goes on from that moment; its RTC is the host's.

On FreeBSD there are none: its kernel is built without BHYVE_SNAPSHOT.`,
		Args:              oneName,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.makeTemplate(cmd.Context(), args[0], o)
		},
	}
	cmd.Flags().StringVar(&o.when, "when", "", "the text on its console that says that it is ready")
	cmd.Flags().StringVar(&o.as, "as", "", "the name of the template (default: that of the cell)")
	cmd.Flags().DurationVar(&o.within, "within", 10*time.Minute, "how long it may take until it is ready")
	return cmd
}

// templates are the templates of this host.
func (a *app) templates() *template.Store {
	return template.View(probe.DirsFor(probe.Options{Dirs: a.dirs}))
}

// templateJSON is a template as programs see it.
type templateJSON struct {
	*template.Template
	Users []string `json:"users"` // cells that began from it and run
}

// usersOf are the cells that run on a template, by the template's name.
func (a *app) usersOf() map[string][]string {
	st := store.View(probe.DirsFor(probe.Options{Dirs: a.dirs}))
	all := map[string][]string{}
	names, _ := st.RunNames()
	for _, n := range names {
		s, _, err := st.ReadDetail(n)
		if err != nil || s.Plan == nil {
			continue
		}
		for _, t := range plan.Specs[*plan.Template](s.Plan) {
			all[t.Name] = append(all[t.Name], n)
		}
	}
	return all
}

func (a *app) templateList() *cobra.Command {
	var asProgram bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the templates",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			all, half, err := a.templates().List()
			if err != nil {
				return err
			}
			users := a.usersOf()
			if asProgram {
				list := []templateJSON{}
				for _, t := range all {
					t.Cell = t.Cell.ForShow()
					list = append(list, templateJSON{t, append([]string{}, users[t.Name]...)})
				}
				return a.json(struct {
					Version   int            `json:"version"`
					Templates []templateJSON `json:"templates"`
				}{templateVersion, list})
			}
			w := tabwriter.NewWriter(asked{a.ui}, 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tOF\tMEMORY\tMADE\tCLONES")
			for _, t := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\n", t.Name, t.Of, t.Cell.Memory, ago(t.Made), len(users[t.Name]))
			}
			if err := w.Flush(); err != nil {
				return err
			}
			for _, n := range half {
				a.note("%s is no whole template: it is being made, or that was cut off", n)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

func (a *app) templateShow() *cobra.Command {
	var asProgram bool
	cmd := &cobra.Command{
		Use:               "show TEMPLATE",
		Short:             "Show what a template is and belongs to",
		Args:              oneTemplate,
		ValidArgsFunction: a.completeTemplates,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := a.templates().Get(args[0])
			if err != nil {
				return err
			}
			users := a.usersOf()[t.Name]
			t.Cell = t.Cell.ForShow()
			if asProgram {
				return a.json(struct {
					Version int `json:"version"`
					templateJSON
				}{templateVersion, templateJSON{t, append([]string{}, users...)}})
			}
			w := tabwriter.NewWriter(asked{a.ui}, 0, 8, 2, ' ', 0)
			row := func(what, format string, args ...any) {
				fmt.Fprintf(w, "%s\t%s\n", what, cell.Printable(fmt.Sprintf(format, args...)))
			}
			row("name", "%s", t.Name)
			row("of", "%s", t.Of)
			row("made", "%s, by skep %s", t.Made.Local().Format(time.DateTime), t.Skep)
			if t.When != "" {
				row("when", "%s", t.When)
			}
			row("qemu", "%s, %s, SHA-256 %s", t.QEMU.Version, t.Cell.Accel, t.QEMU.Sum)
			row("board", "%s", t.Board)
			row("memory", "%s, SHA-256 %s", t.Cell.Memory, t.RAM.Sum)
			row("state", "%d bytes, SHA-256 %s", t.State.Size, t.State.Sum)
			for _, d := range t.Disks {
				row("disk "+d.Label, "SHA-256 %s, on %s", d.Frozen.Sum, d.Base.Path)
			}
			row("clones", "%s", strings.Join(users, " "))
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

func (a *app) templateVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify TEMPLATE",
		Short: "Compare all of a template with what it was when it was made",
		Long: `Read all files of a template and compare them with their digests. Before each clone
only their sizes and times are looked at, which show whoever writes to one. Where a
template was copied, and so has other times and the same bytes, it can be used again
afterwards.`,
		Args:              oneTemplate,
		ValidArgsFunction: a.completeTemplates,
		RunE: func(cmd *cobra.Command, args []string) error {
			s := a.templates()
			t, err := s.Get(args[0])
			if err != nil {
				return err
			}
			defer a.slow("reading the template %s", t.Name)()
			wrong, again := t.Verify()
			if len(wrong) > 0 {
				for _, w := range wrong {
					a.note("%s", w)
				}
				return fault.New(fault.Input, "skep template rm "+t.Name+" removes it; make it again", "use the template %s: it is not what was made", t.Name)
			}
			if err := s.Finish(again); err != nil {
				return err
			}
			a.printf("%s is as it was made\n", t.Name)
			return nil
		},
	}
}

func (a *app) templateRemove() *cobra.Command {
	return &cobra.Command{
		Use:               "rm TEMPLATE",
		Short:             "Remove a template",
		Args:              oneTemplate,
		ValidArgsFunction: a.completeTemplates,
		RunE: func(cmd *cobra.Command, args []string) error {
			if users := a.usersOf()[args[0]]; len(users) > 0 {
				return fault.New(fault.Busy, "skep down "+users[0]+" stops it", "remove the template %s: %s runs on it", args[0], users[0])
			}
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			if err := template.ValidName(args[0]); err != nil {
				return err
			}
			st, err := store.Open(dirs)
			if err != nil {
				return err
			}
			lock, err := st.LockNamed("template-" + args[0])
			if err != nil {
				return fault.Wrap(fault.Host, err, "", "lock the template %s", args[0])
			}
			defer lock.Unlock()
			return a.templates().Remove(args[0])
		},
	}
}

func oneTemplate(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("skep template %s takes one template, got %d", cmd.Name(), len(args))
	}
	return nil
}

// completeTemplates completes the name of a template.
func (a *app) completeTemplates(_ *cobra.Command, args []string, typed string) (names []string, d cobra.ShellCompDirective) {
	all, _, _ := a.templates().List()
	for _, t := range all {
		if len(args) == 0 && strings.HasPrefix(t.Name, typed) {
			names = append(names, t.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
