package cli

import (
	"slices"
	"time"

	"skep/internal/events"
)

// servedEvents is how many events the page is shown, the newest first.
const servedEvents = 500

// servedEvent is an event as the page shows it.
type servedEvent struct {
	Time time.Time `json:"time"`
	Cell string    `json:"cell"`
	Text string    `json:"text"`
}

// Events lists what has happened to all cells.
func (s *served) Events() (any, error) {
	names, err := eventCells(s.dirs)
	if err != nil {
		return nil, err
	}
	var all []events.Event
	for _, name := range names {
		some, err := eventReader(s.dirs, name).Next()
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b events.Event) int { return b.Time.Compare(a.Time) })
	shown := make([]servedEvent, 0, min(len(all), servedEvents))
	for _, e := range all[:min(len(all), servedEvents)] {
		shown = append(shown, servedEvent{e.Time, e.Cell, e.String()})
	}
	return struct {
		Version int           `json:"version"`
		Events  []servedEvent `json:"events"`
	}{1, shown}, nil
}
