package vmrun

import (
	"fmt"

	"skep/internal/fault"
)

// option is a flag of the command line with its value.
type option struct {
	flag  *flag
	value string
}

// getopts cuts a command line as sh(1)'s getopts does: flags may be bundled
// and a value may touch its flag, `--` or the first other word ends them, and
// nothing behind that is a flag any more.
func getopts(args []string) (options []option, operands []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			return options, args[1:], nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			return options, args, nil
		}
		args = args[1:]
		for i := 1; i < len(arg); i++ {
			f := find(arg[i])
			if f == nil {
				return nil, nil, illegal(arg, arg[i])
			}
			if f.value == "" {
				options = append(options, option{f, ""})
				continue
			}
			value := arg[i+1:]
			if value == "" {
				if len(args) == 0 {
					return nil, nil, fault.New(fault.Input, fmt.Sprintf("-%c takes %s: %s", f.letter, f.value, f.help),
						"take flag -%c: no argument for it", f.letter)
				}
				value, args = args[0], args[1:]
			}
			options = append(options, option{f, value})
			break
		}
	}
	return options, nil, nil
}

// illegal is the error for a flag that is none.
func illegal(arg string, letter byte) error {
	hint := "skep vmrun -h lists the flags"
	switch {
	case letter == 'g':
		hint = "-g was the port of bvmdebug(4), which is gone; bhyve's own debug stub is -G [w][address:]port"
	case letter == '-':
		hint = "flags are single letters, as vmrun.sh takes them; skep vmrun -h lists them"
	}
	return fault.New(fault.Input, hint, "take %q: illegal option -- %q", arg, letter)
}

func find(letter byte) *flag {
	for i := range flags {
		if flags[i].letter == letter {
			return &flags[i]
		}
	}
	return nil
}
