// Package cli is the command line of skep: one file a verb, one file that owns
// all that is written to people (ui.go), one table of exit statuses (package
// fault).
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/probe"
	"skep/internal/trial"
)

// Streams are the three standard streams.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// app is one run of skep.
type app struct {
	*ui
	dirs   host.Dirs // as far as flags give them; all of them once settleDirs ran
	unused []string  // directories of the environment's that are not used, and why
	noHome error

	// cgroupParent is the control group below which cells are to have theirs.
	cgroupParent string

	probing sync.Mutex
	probed  *host.Facts
}

// Main runs one command line, without the name of the program, and returns
// the exit status.
func Main(ctx context.Context, args []string, s Streams) int {
	a := &app{ui: &ui{in: s.In, out: s.Out, err: s.Err}}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(asked{a.ui})
	root.SetErr(s.Err)
	if err := root.ExecuteContext(ctx); err != nil {
		return a.fail(err)
	}
	if a.lost != nil {
		return a.fail(a.lost)
	}
	return int(fault.OK)
}

// usage is a command line that does not fit its verb, in a sentence of its own.
func usage(format string, args ...any) error {
	return fault.Fail(fault.Input, "skep help shows what there is", format, args...)
}

// badFlag is a flag that is not there, or whose value is not what it takes.
func badFlag(cmd *cobra.Command, err error) error {
	if words := cmd.Flags().Args(); cmd == cmd.Root() && len(words) > 0 {
		return unknownCommand(cmd, words[0]) // exec -it web sh: its flags are not the mistake
	}
	hint := peerFlagHint(cmd, err)
	if hint == "" {
		hint = strings.Replace(cmd.CommandPath(), "skep", "skep help", 1) + " shows what there is"
	}
	var unknown *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	var bad *pflag.InvalidValueError
	switch {
	case errors.As(err, &bad):
		value := new(strconv.NumError)
		switch ok := errors.As(err, &value); {
		case ok && value.Func == "ParseBool":
			return fault.Fail(fault.Input, hint, "--%s must be true or false, got %q", bad.GetFlag().Name, bad.GetValue())
		case ok:
			return fault.Fail(fault.Input, hint, "--%s must be a number, got %q", bad.GetFlag().Name, bad.GetValue())
		}
		return fault.Fail(fault.Input, hint, "invalid value %q for --%s: %v", bad.GetValue(), bad.GetFlag().Name, bad.Unwrap())
	case errors.As(err, &empty):
		return fault.Fail(fault.Input, hint, "--%s needs a value", empty.GetFlag().Name)
	case errors.As(err, &unknown):
		if unknown.GetSpecifiedShortnames() != "" {
			return fault.Fail(fault.Input, hint, "unknown flag -%s", unknown.GetSpecifiedName())
		}
		return fault.Fail(fault.Input, hint, "unknown flag --%s", unknown.GetSpecifiedName())
	}
	return fault.Fail(fault.Input, hint, "%v", err)
}

// root is the tree of commands: one constructor a verb.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "skep",
		Short: "Run every virtual machine's hypervisor in a jail of its own",
		Long: `skep runs every virtual machine's hypervisor in a jail of its own, and that jail
holds nothing but what this one machine needs: bhyve in a jail(8) on FreeBSD,
QEMU in namespaces, seccomp and Landlock on Linux.

NAME is a cell file in the configuration directory (cells/NAME.hcl), a path to
a cell file, or "hello", the built-in guest.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE:              func(cmd *cobra.Command, args []string) error { return cmd.Help() },
		PersistentPreRunE: a.settleDirs,
	}
	f := root.PersistentFlags()
	f.StringVar(&a.dirs.Config, "config-dir", "", "directory with cells/NAME.hcl ($"+host.EnvConfigDir+")")
	f.StringVar(&a.dirs.State, "state-dir", "", "directory for what outlives a reboot ($"+host.EnvStateDir+")")
	f.StringVar(&a.dirs.Run, "run-dir", "", "directory for sockets and journals ($"+host.EnvRunDir+")")
	root.SetFlagErrorFunc(badFlag)
	root.AddGroup(
		&cobra.Group{ID: "live", Title: "Running cells:"},
		&cobra.Group{ID: "look", Title: "Looking at them:"},
		&cobra.Group{ID: "file", Title: "Cell files and plans:"},
		&cobra.Group{ID: "host", Title: "The host and skep itself:"},
	)
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("live", a.run(), a.vmrun(), a.up(), a.down(), a.kill(), a.restart(), a.pause(), a.resume(), a.adoptCells(), a.rename(), a.clone(), a.rm(), a.disk(), a.image(), a.template(), a.pool(), a.results())
	add("live", a.snapshot(), a.revert())
	add("look", a.ps(), a.show(), a.console(), a.log(), a.events(), a.stats(), a.evidence(), a.record(), a.screenshot(), a.typeText(), a.pressKeys(), a.click(), a.dump(), a.audit(), a.drill())
	add("look", a.capture())
	add("file", a.plan(), a.explain(), a.check(), a.fmt(), a.new(), a.edit(), a.importJail())
	add("host", a.doctor(), a.devfsCheck(), a.sweep(), a.serve(), a.debug(), a.version())
	add("live", a.media())
	addPeerAliases(root)
	root.AddCommand(a.keeper(), a.drillApart(), a.imageSettle(), a.helloROM(), a.exitCodes())
	if c := a.peek(); c != nil {
		root.AddCommand(c)
	}
	root.SetHelpCommand(a.help())
	root.SetHelpCommandGroupID("host")
	root.SetCompletionCommandGroupID("host")
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			a.completionCommand(c)
		}
	}
	return root
}

// help is cobra's own but for the end of it: a topic that is not there is a
// mistake.
func (a *app) help() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				if about == cmd.Root() && len(args) > 0 {
					return unknownCommand(about, args[0])
				}
				return usage("no help on %q", strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) (names []string, d cobra.ShellCompDirective) {
			about, _, _ := cmd.Root().Find(args)
			for _, c := range about.Commands() {
				if (c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand()) && strings.HasPrefix(c.Name(), typed) {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// exitCodes is the help topic with the table of exit statuses.
func (a *app) exitCodes() *cobra.Command {
	var b strings.Builder
	b.WriteString("The exit statuses of skep are an interface:\n\n")
	for _, c := range fault.Codes {
		fmt.Fprintf(&b, "  %d  %s\n", c.Code, c.Meaning)
	}
	return &cobra.Command{Use: "exit-codes", Short: "What each exit status means", Long: b.String()}
}

// tryKVM and tryTCG say what is going on where that takes a while.
func (a *app) tryKVM(ctx context.Context, facts host.Facts) host.Trial {
	defer a.slow("trying KVM with the built-in guest")()
	return trial.KVM(ctx, facts)
}

func (a *app) tryTCG(ctx context.Context, facts host.Facts) host.Trial {
	defer a.slow("trying emulation with the built-in guest")()
	return trial.TCG(ctx, facts)
}

// probe is what this machine offers, looked at once for all cells of a command.
func (a *app) probe(ctx context.Context, tryKVM bool) (host.Facts, error) {
	o := probe.Options{Dirs: a.dirs}
	if tryKVM {
		o.TryKVM = a.tryKVM
	}
	return a.probeWith(ctx, o)
}

// probeAll tries everything, whatever is remembered: the doctor's way.
func (a *app) probeAll(ctx context.Context) (host.Facts, error) {
	return a.probeWith(ctx, probe.Options{Dirs: a.dirs, TryKVM: a.tryKVM, TryTCG: a.tryTCG})
}

func (a *app) probeWith(ctx context.Context, o probe.Options) (host.Facts, error) {
	a.probing.Lock()
	defer a.probing.Unlock()
	if a.probed != nil && o.TryTCG == nil && (o.TryKVM == nil || a.probed.Linux == nil || a.probed.Linux.KVM.Tried) {
		return a.probed.Clone(), nil
	}
	defer a.slow("looking at this host")()
	o.CgroupParent = a.cgroupParent
	f, err := probe.Probe(ctx, o)
	if err != nil {
		return f, err
	}
	a.probed = &f
	return f.Clone(), nil
}

// lookAgain has the next look at this host be a new one.
func (a *app) lookAgain() {
	a.probing.Lock()
	defer a.probing.Unlock()
	a.probed = nil
}

// executable is this program, for starting it again as a keeper.
func executable() (string, error) {
	p, err := os.Executable()
	if err != nil {
		return "", fault.Wrap(fault.Host, err, "", "find skep's own program")
	}
	return p, nil
}
