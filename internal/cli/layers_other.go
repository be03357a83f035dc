//go:build !freebsd

package cli

import (
	"skep/internal/layer"
	"skep/internal/store"
)

// liveLayers: what the launcher recorded is shown; skep audit looks anew.
func liveLayers(store.State) []layer.Decision { return nil }
