// Package network makes the tap and, where the cell file asks for it, the
// bridge of a guest's network card.
//
// The hypervisor never sees a network of the host: it is handed the open
// descriptor of a tap and lives in an empty network of its own. What is ours
// carries a tag, and only an exact tag makes a thing ours: a name that looks
// like one of ours proves nothing.
package network

import (
	"errors"
	"os"
)

// Tap is an open tap interface.
type Tap struct {
	Name string
	File *os.File
}

// ErrNotTap is wrapped where a named interface is of another kind.
var ErrNotTap = errors.New("it is not a tap interface")

// ErrNotBridge is wrapped where a named interface is of another kind.
var ErrNotBridge = errors.New("it is not a bridge")

// ErrForeign is wrapped where an interface has the name of one of ours and not
// its tag.
var ErrForeign = errors.New("it already exists and was not made by this cell")
