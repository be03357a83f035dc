package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"skep/internal/bsdimport"
	"skep/internal/cell"
	"skep/internal/fault"
	"skep/internal/jailconf"
)

func (a *app) importJail() *cobra.Command {
	var jailConf, rcConf, output string
	var rules devfsFlags
	cmd := &cobra.Command{
		Use:   "import --jail-conf FILE --devfs-rules FILE [--rc-conf FILE] JAIL",
		Short: "Make a cell file of a jail that was written by hand for bhyve",
		Long: `Read a jail of jail.conf(5), the rules of devfs.rules(5) that it uses and what
rc.conf(5) says of its taps and bridges, and write the cell file for it.
Nothing in these files is run. Each thing that the old rules showed and the new
cell does not, and each rule that the kernel never followed, is a warning on
standard error.

--devfs-rules may be given more than once, in the order in which rc(8) reads
the files. --depth and --nodes say what the old host was like; without them it
is this one, if it is a FreeBSD, else a typical one.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("skep import takes one jail of the file, got %d", len(args))
			}
			if jailConf == "" || len(rules.files) == 0 {
				return usage("skep import needs --jail-conf and --devfs-rules")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			in := bsdimport.Input{Jail: args[0], Include: jailconf.FromDisk}
			var err error
			if in.JailConf, err = a.readConf(jailConf); err != nil {
				return err
			}
			if in.Rules, err = a.readConfs(rules.files); err != nil {
				return err
			}
			if rcConf != "" {
				rc, err := a.readConf(rcConf)
				if err != nil {
					return err
				}
				in.RCConf = &rc
			}
			if in.Nodes, in.Depth, err = a.devfsOf(rules, cmd.Flags().Changed("depth")); err != nil {
				return err
			}
			in.DepthKnown = cmd.Flags().Changed("depth") || in.Nodes != nil && rules.nodes == ""
			c, warnings, err := bsdimport.Import(in)
			for _, w := range warnings {
				a.note("warning: %s", w)
			}
			if err != nil {
				return a.eachMistake(err)
			}
			if output != "" {
				return a.writeNew(output, cell.Encode(c))
			}
			_, err = a.out.Write(cell.Encode(c))
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&jailConf, "jail-conf", "", "the jail.conf(5) with the jail")
	f.StringArrayVar(&rules.files, "devfs-rules", nil, "a devfs.rules(5)")
	f.StringVar(&rcConf, "rc-conf", "", "the rc.conf(5) with taps and bridges")
	f.StringVarP(&output, "output", "o", "", "write the cell file here instead of to standard output")
	rules.addHost(cmd)
	return cmd
}

// eachMistake shows every mistake of a jail.conf(5) on a line of its own.
func (a *app) eachMistake(err error) error {
	var mistakes jailconf.Errors
	if !errors.As(err, &mistakes) || len(mistakes) < 2 {
		return err
	}
	for _, m := range mistakes {
		a.fail(fault.New(fault.Input, "", "read jail.conf(5): %s", m))
	}
	return shownError{fault.Input}
}

// confFile is a file of a FreeBSD host's configuration.
type confFile = jailconf.Source

func (a *app) readConf(path string) (confFile, error) {
	b, err := readRegular(path, maxCellFile)
	if err != nil {
		return confFile{}, fault.Wrap(fault.Input, err, "", "read %s", path)
	}
	return confFile{Name: path, Text: string(b)}, nil
}

func (a *app) readConfs(paths []string) ([]confFile, error) {
	var all []confFile
	for _, p := range paths {
		s, err := a.readConf(p)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}
