package cli

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"skep/internal/fault"
	"skep/internal/input"
	"skep/internal/keeper"
	"skep/internal/probe"
	"skep/internal/store"
)

// typeText is skep type.
func (a *app) typeText() *cobra.Command {
	var layout string
	cmd := &cobra.Command{
		Use:   "type NAME TEXT | -",
		Short: "Type a text on a guest's keyboard",
		Long: `Type a text on the keyboard of a running guest, the one that belongs to its
screen; skep console is for the serial console. "-" reads the text from standard
input. A line feed is the Enter key. Which keys give a text depends on the layout
that the guest has set: --layout says which. A text with a character that the
layout lacks is refused, and nothing of it is typed.`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("skep type takes one cell and one text, got %d arguments", len(args))
			}
			text := args[1]
			if text == "-" {
				b, err := io.ReadAll(io.LimitReader(a.in, maxTyped+1))
				if err != nil {
					return fault.Wrap(fault.Host, err, "", "read the text")
				}
				text = string(b)
			}
			if len(text) > maxTyped {
				return usage("the text must be at most %d bytes", maxTyped)
			}
			pieces, err := typed(layout, text)
			if err != nil {
				return fault.Wrap(fault.Input, err, "", "type that")
			}
			return a.hands(cmd.Context(), args[0], "type", pieces)
		},
	}
	cmd.Flags().StringVar(&layout, "layout", "us", "the guest's keyboard layout: "+strings.Join(input.Layouts(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("layout", cobra.FixedCompletions(input.Layouts(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// maxTyped bounds a text: each character takes a guest some hundredths of a second.
const maxTyped = 64 << 10

// typed is a text in pieces, between which the keeper can see to its guest.
func typed(layout, text string) (pieces [][]input.Step, err error) {
	steps, err := input.Text(layout, text)
	if err != nil {
		return nil, err
	}
	var piece []input.Step
	for _, s := range steps {
		piece = append(piece, s)
		if s.Rest && len(piece) >= pieceSteps {
			pieces, piece = append(pieces, piece), nil
		}
	}
	if len(piece) > 0 {
		pieces = append(pieces, piece)
	}
	return pieces, nil
}

// pieceSteps is less than a second of typing.
const pieceSteps = 48

// pressKeys is skep key.
func (a *app) pressKeys() *cobra.Command {
	return &cobra.Command{
		Use:   "key NAME KEYS…",
		Short: "Press keys of a guest's keyboard, such as ctrl-alt-del",
		Long: `Press keys of the keyboard of a running guest. Keys that are joined by "-" are
pressed together; several arguments are pressed one after the other. A key is
named by its place on a US keyboard: a to z, 0 to 9, f1 to f12, ctrl, alt, shift,
win, enter, esc, tab, space, backspace, del, ins, home, end, pgup, pgdn, up, down,
left, right, print, pause, menu, minus, equal, comma, dot, slash and others.`,
		Args: cobra.ArbitraryArgs,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return a.completeNames(cmd, args, typed)
			}
			return append(input.Keys(), "ctrl-alt-del"), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("skep key takes one cell and keys, got %d arguments", len(args))
			}
			var pieces [][]input.Step
			for _, chord := range args[1:] {
				steps, err := input.Chord(chord)
				if err != nil {
					return fault.Wrap(fault.Input, err, "skep help key lists keys", "press that")
				}
				pieces = append(pieces, steps)
			}
			return a.hands(cmd.Context(), args[0], "key", pieces)
		},
	}
}

// click is skep click.
func (a *app) click() *cobra.Command {
	var button string
	var double bool
	cmd := &cobra.Command{
		Use:   "click NAME X Y",
		Short: "Click at a place of a guest's screen",
		Long: `Move the pointer of a running guest to a place of its screen and click there. X and
Y are pixels from the top left corner, as in a screenshot.`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 3 {
				return usage("skep click takes one cell, X and Y, got %d arguments", len(args))
			}
			x, err := strconv.Atoi(args[1])
			y, err2 := strconv.Atoi(args[2])
			if err != nil || err2 != nil {
				return usage("X and Y must be numbers, got %q and %q", args[1], args[2])
			}
			steps, err := input.Click(x, y, button, double)
			if err != nil {
				return fault.Wrap(fault.Input, err, "", "click there")
			}
			return a.hands(cmd.Context(), args[0], "click", [][]input.Step{steps})
		},
	}
	cmd.Flags().StringVar(&button, "button", "left", "left, middle or right")
	cmd.Flags().BoolVar(&double, "double", false, "click twice")
	_ = cmd.RegisterFlagCompletionFunc("button", cobra.FixedCompletions([]string{"left", "middle", "right"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// handsWait bounds one piece of input.
const handsWait = 30 * time.Second

// hands has keyboard and pointer of a guest do something, piece by piece.
func (a *app) hands(ctx context.Context, arg, verb string, pieces [][]input.Step) error {
	dirs := probe.DirsFor(probe.Options{Dirs: a.dirs})
	name, err := a.nameOf(dirs, arg)
	if err != nil {
		return err
	}
	dial := func() (*keeper.Client, error) { return keeper.Dial(store.View(dirs).RunDir(name)) }
	switch cl, err := reached(dirs, name); {
	case err != nil:
		return err
	case cl != nil:
		cl.Close()
		dial = func() (*keeper.Client, error) { return keeperOf(reachedAt(dirs, name)) }
	default:
		if err := a.mustKnow(dirs, name); err != nil {
			return err
		}
	}
	for _, steps := range pieces {
		if err := a.handsOnce(ctx, dial, name, verb, steps); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) handsOnce(ctx context.Context, dial func() (*keeper.Client, error), name, verb string, steps []input.Step) error {
	cl, err := dial()
	if err != nil {
		return fault.Cannot(fault.Host, "skep up "+name+" starts it", "use the keyboard of", name, "it is not running")
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, handsWait)
	defer cancel()
	err = cl.Input(ctx, "skep "+verb, steps)
	var f *fault.Error
	if err == nil || errors.As(err, &f) {
		return err
	}
	return fault.Wrap(fault.Host, err, "skep ps shows what it does", "use the keyboard of %s", name)
}
