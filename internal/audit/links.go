package audit

import (
	"errors"

	"skep/internal/network"
)

// linksSeen are the interfaces that a plan names, as far as they are there; LinksErr is why not.
type linksSeen struct {
	Links    map[string]network.Link `json:"links,omitempty"`
	LinksErr map[string]string       `json:"links_err,omitempty"`
}

// link finds one of them.
func (s *linksSeen) link(name string) (network.Link, bool, error) {
	if why := s.LinksErr[name]; why != "" {
		return network.Link{}, false, errors.New(why)
	}
	l, ok := s.Links[name]
	return l, ok, nil
}
