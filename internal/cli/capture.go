package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/netjob"
	"skep/internal/probe"
	"skep/internal/reader"
	"skep/internal/store"
	"skep/internal/tool"
)

// longestCapture bounds the copying of one.
const longestCapture = time.Hour

func (a *app) capture() *cobra.Command {
	nic := ""
	cmd := &cobra.Command{
		Use:   "capture NAME FILE",
		Short: "Write what a network card has sent and received to a new file",
		Long: `Write the frames of a network card with capture = true to a file that is not
there yet, in the format that wireshark and tshark read (pcapng). It has what
the cell has kept so far, whether or not it runs: the newest frames, of all
lives of its guest, with comments and with the keys of what a sinkhole spoke
over TLS. "-" is standard output.`,
		Args:              exactArgs(2, "a cell and a file"),
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
			name, err := a.nameOf(dirs, args[0])
			if err == nil {
				err = a.mustKnow(dirs, name)
			}
			if err != nil {
				return err
			}
			base, err := captureOf(store.View(dirs).StateDir(name), name, nic)
			if err != nil {
				return err
			}
			facts, err := probe.ForTools(probe.Options{Dirs: a.dirs})
			if err != nil {
				return err
			}
			j := tool.Job{Tool: tool.Reader(reader.CaptureFile), Limits: tool.Limits{Wall: longestCapture, Output: 1 << 50}}
			for i, path := range layout.Captures(base) {
				f, err := os.Open(path)
				if err != nil {
					return fault.Wrap(fault.Host, err, "", "read the capture of %s", name)
				}
				defer f.Close()
				j.Files = append(j.Files, tool.File{Name: []string{netjob.CaptureOne, netjob.CaptureTwo}[i], File: f})
			}
			j.Out = a.out
			if args[1] != "-" {
				to, err := os.OpenFile(args[1], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
				if err != nil {
					hint := "name a file that is not there yet"
					if !errors.Is(err, fs.ErrExist) {
						hint = ""
					}
					return fault.Wrap(fault.Input, err, hint, "write to %s", args[1])
				}
				defer to.Close()
				j.Out = to
			}
			if _, err = tool.Run(cmd.Context(), facts, j); err != nil && args[1] != "-" {
				_ = os.Remove(args[1]) // it is what this made
			}
			if err != nil {
				return fault.Wrap(fault.Host, err, "", "copy the capture of %s", name)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&nic, "nic", "", "which network card, where more than one is captured")
	return cmd
}

// captureOf is what the names of the files of a card's capture begin with.
func captureOf(dir, name, nic string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, layout.CapturePrefix+"*"+layout.CaptureFirst))
	if err != nil {
		return "", err
	}
	var labels []string
	for _, f := range found {
		label := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), layout.CapturePrefix), layout.CaptureFirst)
		if nic == "" && len(found) == 1 || label == nic {
			return strings.TrimSuffix(f, layout.CaptureFirst), nil
		}
		labels = append(labels, label)
	}
	switch {
	case len(labels) == 0:
		return "", fault.New(fault.Input, "nic \"lan\" { capture = true } in the cell file", "find a capture of %s: nothing was captured", name)
	case nic == "":
		return "", fault.New(fault.Input, "name one with --nic: "+strings.Join(labels, ", "), "choose a capture of %s: there are %d", name, len(labels))
	}
	return "", fault.New(fault.Input, "captured are "+strings.Join(labels, ", "), "find a capture of the network card %q", nic)
}
