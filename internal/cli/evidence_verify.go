package cli

import (
	"time"

	"github.com/spf13/cobra"

	"skep/internal/cell"
	"skep/internal/evidence"
	"skep/internal/fault"
)

func (a *app) evidenceVerify() *cobra.Command {
	var asProgram bool
	cmd := &cobra.Command{
		Use:   "verify FILE.tar",
		Short: "Say whether anything in such an archive was changed",
		Long: `Verify an archive that skep evidence has made: every file's sum, the chain of its
events, what the events say of files, and each byte between the files. What was
changed is named, and the status is 1. An archive that somebody has made anew as a
whole is only told by its signature: whose key it is says ssh-keygen -Y verify.`,
		Args: exactArgs(1, "an archive"),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := evidence.VerifyFile(args[0])
			if err != nil {
				return fault.Wrap(fault.Input, err, "", "verify %s", args[0])
			}
			if asProgram {
				if found.Problems == nil {
					found.Problems = []string{}
				}
				if err := a.json(found); err != nil {
					return err
				}
			} else {
				a.sayVerified(args[0], found)
			}
			if n := len(found.Problems); n > 0 {
				if asProgram {
					return shownError{fault.Host}
				}
				return fault.Fail(fault.Host, "", "%s is not as it was made", args[0])
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asProgram, "json", false, "for programs")
	return cmd
}

func (a *app) sayVerified(path string, f evidence.Finding) {
	for _, p := range f.Problems {
		a.printf("%s\n", cell.Printable(p))
	}
	if len(f.Problems) > 0 {
		return
	}
	m := f.Manifest
	a.printf("%s: %d files of %s, run %s, and %d events in a chain are as they were on %s\n", path, len(m.Files), cell.Printable(m.Cell),
		cell.Printable(m.Run), m.Journal.Lines, m.Made.Format(time.RFC3339))
	if f.Key != "" {
		a.printf("signed by %s\n", cell.Printable(f.Key))
	} else {
		a.printf("not signed\n")
	}
}
