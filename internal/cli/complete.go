package cli

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"skep/internal/host"
	"skep/internal/layout"
	"skep/internal/probe"
	"skep/internal/store"
)

// candidate is a cell that an argument might name, as far as it matters to
// which verbs can do something with it.
type candidate struct {
	running    bool // a keeper holds it, or one that died has left it
	held       bool // a living keeper holds it
	file       bool // it has a file, or is built in
	valid      bool // and there is no mistake in it
	remembered bool // something of it is kept in the state directory
	logged     bool
}

// actsOn says of each verb on which cells it can act. A verb that is not here
// takes any.
var actsOn = map[string]func(candidate) bool{
	"up":         func(c candidate) bool { return c.valid && !c.held },
	"run":        func(c candidate) bool { return c.valid && !c.running },
	"restart":    func(c candidate) bool { return c.file || c.running },
	"down":       func(c candidate) bool { return c.running },
	"kill":       func(c candidate) bool { return c.running },
	"adopt":      func(c candidate) bool { return c.running && !c.held },
	"console":    func(c candidate) bool { return c.running },
	"media":      func(c candidate) bool { return c.running },
	"screenshot": func(c candidate) bool { return c.running },
	"audit":      func(c candidate) bool { return c.running },
	"log":        func(c candidate) bool { return c.logged },
	"sweep":      func(c candidate) bool { return c.running && !c.held },
	"revert":     func(c candidate) bool { return c.remembered },
	"rm":         func(c candidate) bool { return c.remembered && !c.running },
	"disk rm":    func(c candidate) bool { return c.file && !c.running },
	"edit":       func(c candidate) bool { return c.file },
	"check":      func(c candidate) bool { return c.file },
	"plan":       func(c candidate) bool { return c.valid },
	"explain":    func(c candidate) bool { return c.valid },
	"drill":      func(c candidate) bool { return c.valid },
}

// completeNames completes NAME arguments with the cells that the verb can act
// on.
func (a *app) completeNames(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if isPath(typed) {
		return []string{"hcl"}, cobra.ShellCompDirectiveFilterFileExt
	}
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	verb := strings.TrimPrefix(cmd.CommandPath(), "skep ")
	fits := actsOn[verb]
	names, _ := known(dirs)
	if !slices.Contains(names, "hello") {
		names = append(names, "hello")
	}
	slices.SortFunc(names, natural)
	var out []string
	for _, n := range names {
		if !strings.HasPrefix(n, typed) || slices.Contains(args, n) {
			continue
		}
		if fits == nil || fits(candidateOf(dirs, n)) {
			out = append(out, n)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

func candidateOf(dirs host.Dirs, name string) candidate {
	st := store.View(dirs)
	c := candidate{
		held:       st.Held(name),
		file:       name == "hello" || exists(dirs.CellFile(name)),
		remembered: exists(st.StateDir(name)),
		logged:     exists(filepath.Join(st.StateDir(name), layout.ConsoleLog)),
	}
	c.running = c.held || st.HasJournal(name)
	if s, _, err := st.ReadState(name); err == nil && s.File != "" {
		c.file = c.file || exists(s.File)
		c.valid = !exists(dirs.CellFile(name)) && isPath(s.File) && peek(dirs, s.File) != nil
	}
	c.valid = c.valid || peek(dirs, name) != nil || name == "hello" && !exists(dirs.CellFile(name))
	return c
}

// bashWithout stands in for the two functions that cobra's script for bash
// takes from the bash-completion package, where that is not loaded.
const bashWithout = `
# Where the bash-completion package is not loaded, what is used of it.
if ! declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
_get_comp_words_by_ref()
{
    # -n =: joins again what readline has split at these characters.
    local apart="" i word last
    while [[ $1 == -* ]]; do
        [[ $1 == -n ]] && { apart=$2; shift; }
        shift
    done
    words=() cword=0
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        word=${COMP_WORDS[i]}
        last=""
        ((${#words[@]} > 0)) && last=${words[${#words[@]}-1]}
        if ((${#words[@]} > 1)) && [[ -n $apart && -n $word && ( $apart == *"${word:0:1}"* || ( -n $last && $apart == *"${last: -1}"* ) ) ]]; then
            words[${#words[@]}-1]=$last$word
        else
            words+=("$word")
        fi
        ((i == COMP_CWORD)) && cword=$((${#words[@]} - 1))
    done
    cur=${words[cword]-} prev=""
    ((cword > 0)) && prev=${words[cword-1]}
    return 0
}
fi
if ! declare -F __ltrim_colon_completions >/dev/null 2>&1; then
__ltrim_colon_completions()
{
    local i before
    [[ $1 == *:* && $COMP_WORDBREAKS == *:* ]] || return 0
    before=${1%"${1##*:}"}
    for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do
        COMPREPLY[i]=${COMPREPLY[i]#"$before"}
    done
}
fi
`

// completionCommand makes cobra's completion refuse shells that it does not
// know, and its script for bash need no package.
func (a *app) completionCommand(c *cobra.Command) {
	c.Args = cobra.ArbitraryArgs // cobra would refuse a shell in words of its own
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("no completion for the shell %q", args[0])
		}
		return cmd.Help()
	}
	for _, shell := range c.Commands() {
		if shell.Name() != "bash" {
			continue
		}
		shell.Long = `Print the completion script for bash. It needs no bash-completion package.

To load it in this shell:

	source <(skep completion bash)

To load it in every new one, put that line into ~/.bashrc, or with the package:

	skep completion bash > /etc/bash_completion.d/skep`
		plain := shell.Flags().Lookup("no-descriptions")
		shell.RunE = func(cmd *cobra.Command, args []string) error {
			var b bytes.Buffer
			if err := cmd.Root().GenBashCompletionV2(&b, plain == nil || plain.Value.String() != "true"); err != nil {
				return err
			}
			a.printf("%s%s", b.String(), bashWithout)
			return nil
		}
	}
}
