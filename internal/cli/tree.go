package cli

import "github.com/spf13/cobra"

// Tree is the tree of commands with all that cobra adds to it, for checking documents against it.
// It is not for running.
func Tree() *cobra.Command {
	root := (&app{ui: &ui{}}).root()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}
