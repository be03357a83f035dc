package cli

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"skep/internal/bsdimport"
	"skep/internal/cell"
	"skep/internal/cellfile"
	"skep/internal/fault"
	"skep/internal/jailconf"
	"skep/internal/peerimport"
)

func (a *app) importJail() *cobra.Command {
	var jailConf, rcConf, output string
	var rules devfsFlags
	var peer peerFile
	cmd := &cobra.Command{
		Use:   "import --jail-conf FILE --devfs-rules FILE JAIL | --vm-bhyve FILE | --libvirt FILE | --qemu COMMAND",
		Short: "Make a cell file of what a guest was run with before",
		Long: `Make a cell file of a vm-bhyve guest's configuration (NAME.conf), of a libvirt
domain's XML (virsh dumpxml), of a command line of qemu-system-x86_64 in quotes, or
of a jail that was written by hand for bhyve. Nothing of it is run. Each thing that
is not carried, or becomes stricter, is a warning on standard error.

Of a jail: read a jail of jail.conf(5), the rules of devfs.rules(5) that it uses and what
rc.conf(5) says of its taps and bridges, and write the cell file for it.
Nothing in these files is run. Each thing that the old rules showed and the new
cell does not, and each rule that the kernel never followed, is a warning on
standard error.

--devfs-rules may be given more than once, in the order in which rc(8) reads
the files. --depth and --nodes say what the old host was like; without them it
is this one, if it is a FreeBSD, else a typical one.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if peer.given() > 0 {
				return peer.check(args, jailConf != "" || rcConf != "" || len(rules.files) > 0)
			}
			if len(args) != 1 {
				return usage("skep import takes one jail of the file, got %d", len(args))
			}
			if jailConf == "" || len(rules.files) == 0 {
				return usage("skep import needs --vm-bhyve, --libvirt, --qemu, or --jail-conf and --devfs-rules")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if peer.given() > 0 {
				return a.importPeer(peer, output)
			}
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
				return a.writeNew(output, cellfile.Encode(c))
			}
			_, err = a.out.Write(cellfile.Encode(c))
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&jailConf, "jail-conf", "", "the jail.conf(5) with the jail")
	f.StringArrayVar(&rules.files, "devfs-rules", nil, "a devfs.rules(5)")
	f.StringVar(&rcConf, "rc-conf", "", "the rc.conf(5) with taps and bridges")
	f.StringVar(&peer.vmBhyve, "vm-bhyve", "", "a guest's configuration of vm-bhyve, a `file`")
	f.StringVar(&peer.libvirt, "libvirt", "", "a domain's XML of libvirt, a `file`")
	f.StringVar(&peer.qemu, "qemu", "", "a `command` line of QEMU, in quotes")
	f.StringVarP(&output, "output", "o", "", "write the cell file here instead of to standard output")
	rules.addHost(cmd)
	return cmd
}

// peerFile is what another manager keeps of a guest.
type peerFile struct{ vmBhyve, libvirt, qemu string }

func (p peerFile) given() (n int) {
	for _, s := range []string{p.vmBhyve, p.libvirt, p.qemu} {
		if s != "" {
			n++
		}
	}
	return n
}

func (p peerFile) check(args []string, jail bool) error {
	if p.given() > 1 || jail {
		return usage("skep import takes one of --vm-bhyve, --libvirt, --qemu and --jail-conf")
	}
	if len(args) > 0 {
		return usage("skep import takes no name with --vm-bhyve, --libvirt and --qemu, got %q", args[0])
	}
	return nil
}

// importPeer makes a cell file of another manager's.
func (a *app) importPeer(p peerFile, output string) error {
	r, err := p.read(a)
	if err != nil {
		return err
	}
	for _, w := range r.Warnings {
		a.note("warning: %s", cell.Printable(w))
	}
	if output != "" {
		return a.writeNew(output, r.Text)
	}
	_, err = a.out.Write(r.Text)
	return err
}

func (p peerFile) read(a *app) (*peerimport.Result, error) {
	if p.qemu != "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, fault.Wrap(fault.Host, err, "", "find the working directory")
		}
		return peerimport.QEMU(p.qemu, dir)
	}
	file, read := p.vmBhyve, peerimport.VMBhyve
	if file == "" {
		file, read = p.libvirt, peerimport.Libvirt
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "read %s", file)
	}
	conf, err := a.readConf(path)
	if err != nil {
		return nil, err
	}
	return read(path, conf.Text)
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
