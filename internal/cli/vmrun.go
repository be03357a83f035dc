package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/cellfile"
	"skep/internal/fault"
	"skep/internal/host"
	"skep/internal/vmrun"
)

func (a *app) vmrun() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "vmrun [--print] [FLAGS] NAME",
		Short: "Run a virtual machine with vmrun.sh's command line, in a jail",
		Long: `Run a virtual machine in the foreground with the command line of FreeBSD's
vmrun.sh: the same flags, in a jail of its own. --print runs nothing and writes
the cell file that the command line stands for. --print and skep's other long
flags stand before vmrun.sh's, or --print last.

` + vmrun.Usage(),
		// The flags are vmrun.sh's, read as its getopts reads them.
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			long, rest, err := longFlags(cmd, args)
			if err != nil {
				return err
			}
			r, err := a.readVmrun(rest, long.print)
			switch {
			case errors.Is(err, vmrun.ErrHelp) || long.help:
				a.printf("%s", vmrun.Usage())
				return nil
			case err != nil:
				return err
			}
			for _, n := range r.Notes {
				a.note("%s", n)
			}
			if long.print {
				_, err := a.out.Write(cellfile.Encode(r.Cell))
				return err
			}
			return a.runVmrun(cmd.Context(), r.Cell)
		},
	}
	cmd.Flags().Bool("print", false, "print the cell file that the command line stands for")
	return cmd
}

type vmrunLong struct{ print, help bool }

// longFlags takes what is skep's own from the front of a command line, and
// --print from its end, where a hand that has just called up an old line puts
// it. Nothing of vmrun.sh's begins with two dashes.
func longFlags(cmd *cobra.Command, args []string) (f vmrunLong, rest []string, err error) {
	n := 0
	for n < len(args) && len(args[n]) > 2 && strings.HasPrefix(args[n], "--") {
		name, _, joined := strings.Cut(args[n][2:], "=")
		n++
		if flag := cmd.Flag(name); flag != nil && !joined && flag.NoOptDefVal == "" && n < len(args) {
			n++ // its value
		}
	}
	cmd.DisableFlagParsing = false
	if err := cmd.ParseFlags(args[:n]); err != nil {
		return f, nil, cmd.FlagErrorFunc()(cmd, err)
	}
	f.print, _ = cmd.Flags().GetBool("print")
	f.help, _ = cmd.Flags().GetBool("help")
	rest = args[n:]
	if last := len(rest) - 1; last > 0 && rest[last] == "--print" {
		f.print, rest = true, rest[:last]
	}
	return f, rest, nil
}

// readVmrun makes a cell of vmrun.sh's flags as they are meant on this host.
func (a *app) readVmrun(args []string, printing bool) (*vmrun.Result, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fault.Wrap(fault.Host, err, "", "find the current directory")
	}
	o := vmrun.Options{Dir: dir, Bootable: vmrun.Bootable, PCI: pciOf}
	if printing {
		o.Bootable = a.bootableElsewhere
	}
	return vmrun.Parse(args, o)
}

// bootableElsewhere is for a cell file that is printed, perhaps for another
// host: that a volume is not here says nothing about what is on it there.
func (a *app) bootableElsewhere(disk string) (bool, error) {
	if _, err := os.Stat(disk); strings.HasPrefix(disk, "/dev/") && errors.Is(err, fs.ErrNotExist) {
		a.note("%s is not on this host: nobody looked whether it boots, and there is no installation image in the cell", disk)
		return true, nil
	}
	return vmrun.Bootable(disk)
}

func (a *app) runVmrun(ctx context.Context, c *cell.Cell) error {
	_, err := a.runCell(ctx, func(f host.Facts) (*cell.Cell, error) {
		return c, fitsHost(c, f)
	}, runOptions{})
	return err
}

// fitsHost refuses on a Linux host what only bhyve has, in the words of the
// command line that it came from.
func fitsHost(c *cell.Cell, f host.Facts) error {
	if f.FreeBSD != nil {
		return nil
	}
	refuse := func(what, hint string) error {
		return fault.New(fault.Input, hint+"; --print works everywhere", "run %s here: %s", c.Name, what)
	}
	switch {
	case c.Boot.Kind == cell.BootLoader:
		return refuse("without -E the guest is loaded by bhyveload(8), which needs a FreeBSD host", "with -E it boots UEFI, which QEMU can do as well")
	case c.Console.Device != "":
		return refuse("-C names a null modem, which needs a FreeBSD host", "leave -C out: the console is logged, and skep console attaches to it")
	case len(c.Hypervisor.Args) > 0:
		return refuse("bhyve's own flags ("+strings.Join(c.Hypervisor.Args, " ")+") need a FreeBSD host", "leave them out")
	case len(c.Passthru) > 0:
		return refuse("-p passes a PCI device through, which needs a FreeBSD host", "leave it out")
	}
	return nil
}
