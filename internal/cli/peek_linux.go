package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"skep/internal/audit"
)

// peek is what an audit runs inside a cell's user namespace. It is not for
// people, and says nothing that /proc does not say to whoever runs it.
func (a *app) peek() *cobra.Command {
	return &cobra.Command{
		Use: audit.Peek + " PID", Short: "Print what /proc shows of a process to its own user", Hidden: true, Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			pid, err := strconv.Atoi(args[0])
			if err != nil || pid <= 0 {
				return usage("%q is not a process number", args[0])
			}
			return a.json(audit.ReadPrivate(pid))
		},
	}
}
