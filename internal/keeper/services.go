package keeper

import (
	"slices"
	"strings"
	"sync"

	"skep/internal/store"
)

// services are the networks and captures of the cell's cards, each of which goes on by itself.
type services struct {
	changed chan struct{} // ready when there is another one

	mu  sync.Mutex
	now map[string]store.Service
}

// Serving notes who serves a card from now on, or that nobody does.
func (e env) Serving(id string, s *store.Service) {
	v := &e.k.served
	v.mu.Lock()
	defer v.mu.Unlock()
	if s == nil {
		delete(v.now, id)
	} else {
		if v.now == nil {
			v.now = map[string]store.Service{}
		}
		v.now[id] = *s
	}
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// list is all of them, sorted.
func (v *services) list() (all []store.Service) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.now {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b store.Service) int { return strings.Compare(a.ID, b.ID) })
	return all
}
