// Package input turns what a person wants typed or clicked into what a keyboard and a pointer do. It is
// pure, and knows keys by their places on a keyboard, not by what is printed on them: which character a
// key gives is the guest's to decide, so a text is typed by the layout that the guest has.
package input

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Step is one thing that a hand does: a key or a button goes down or up, or the pointer moves.
type Step struct {
	// Key is the name of a key as QEMU has it ("a", "ret", "ctrl"), "" for the pointer.
	Key string `json:"key,omitempty"`
	// Button is "left", "middle" or "right", "" where the pointer only moves.
	Button string `json:"button,omitempty"`
	Down   bool   `json:"down,omitempty"`
	// X and Y are where the pointer is, in pixels from the top left corner.
	X int `json:"x,omitempty"`
	Y int `json:"y,omitempty"`
	// Rest is whether a guest needs a moment after it: its keyboard's queue is short.
	Rest bool `json:"rest,omitempty"`
}

// Bounds of what is typed at once. A cell's keeper does nothing else meanwhile.
const (
	MaxText  = 64 // characters
	MaxSteps = 8 * MaxText
	MaxSide  = 1 << 14 // of a screen
)

// Text is what types a text by a layout. A character that the layout does not have is an error that
// names it; nothing of the text is typed then.
func Text(layout, text string) ([]Step, error) {
	l, ok := layouts[layout]
	if !ok {
		return nil, fmt.Errorf("no layout %q; there are %s", layout, strings.Join(Layouts(), ", "))
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("the text is not UTF-8")
	}
	var steps []Step
	at := 0
	for _, r := range text {
		at++
		s, ok := l.strokes()[r]
		if !ok {
			return nil, fmt.Errorf("character %d, %q, is not on the layout %q", at, r, layout)
		}
		steps = append(steps, s.steps()...)
		if s.dead {
			steps = append(steps, stroke{key: "spc"}.steps()...)
		}
	}
	return steps, nil
}

// Chord is what presses some keys together, such as ctrl-alt-del, and lets go of them again.
func Chord(chord string) ([]Step, error) {
	var down, up []Step
	for _, name := range strings.Split(strings.ToLower(chord), "-") {
		key, ok := keyNamed(name)
		if !ok {
			return nil, fmt.Errorf("no key %q in %q", name, chord)
		}
		down = append(down, Step{Key: key, Down: true})
		up = append([]Step{{Key: key}}, up...)
	}
	if len(down) > maxChord {
		return nil, fmt.Errorf("more than %d keys in %q", maxChord, chord)
	}
	up[len(up)-1].Rest = true
	return append(down, up...), nil
}

// maxChord is more than a keyboard's matrix tells apart.
const maxChord = 6

// Click is a click at a place, or two of them.
func Click(x, y int, button string, double bool) ([]Step, error) {
	if x < 0 || y < 0 || x >= MaxSide || y >= MaxSide {
		return nil, fmt.Errorf("%d,%d is on no screen", x, y)
	}
	switch button {
	case "left", "middle", "right":
	default:
		return nil, fmt.Errorf("no button %q; there are left, middle and right", button)
	}
	steps := []Step{{X: x, Y: y, Rest: true}}
	for range map[bool]int{false: 1, true: 2}[double] {
		steps = append(steps, Step{Button: button, Down: true, X: x, Y: y, Rest: true}, Step{Button: button, X: x, Y: y, Rest: true})
	}
	return steps, nil
}

// Points says whether any of the steps is the pointer's.
func Points(steps []Step) bool {
	for _, s := range steps {
		if s.Key == "" {
			return true
		}
	}
	return false
}

// Valid says whether steps that came over a socket are such as this package makes.
func Valid(steps []Step) bool {
	for _, s := range steps {
		_, known := keysyms[s.Key]
		switch {
		case s.Key != "" && (!known || s.Button != ""):
			return false
		case s.Button != "" && s.Button != "left" && s.Button != "middle" && s.Button != "right":
			return false
		case s.X < 0 || s.Y < 0 || s.X >= MaxSide || s.Y >= MaxSide:
			return false
		}
	}
	return len(steps) > 0 && len(steps) <= MaxSteps
}
