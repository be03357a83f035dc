package drill

import (
	"skep/internal/cell"
	"skep/internal/drill/report"
	"skep/internal/host"
	"skep/internal/store"
)

// Config says what is drilled.
type Config struct {
	Cell  *cell.Cell // a twin of it is drilled, never itself
	Facts host.Facts
	Store *store.Store
	// Hidden: no other user of this host can see the bait, as in a throwaway host.
	Hidden bool
	// Progress is told each row as it comes; nil is nothing.
	Progress func(report.Row)
}
