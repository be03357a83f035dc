//go:build linux || freebsd

package provision

import (
	"errors"
	"io/fs"
	"os"

	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/netjob"
	"skep/internal/store"
)

// sinkholeCA is the authority of a cell's sinkhole, made at the first start: its certificate and its key.
func sinkholeCA(path, cell string) (certificate, key []byte, err error) {
	certificate, err = os.ReadFile(path)
	if err == nil {
		key, err = os.ReadFile(layout.KeyOf(path))
	}
	if errors.Is(err, fs.ErrNotExist) {
		if certificate, key, err = netjob.NewCA(cell); err == nil {
			err = store.WriteDurable(layout.KeyOf(path), key)
		}
		if err == nil { // the last: with it both are there, and whole
			err = store.WriteDurable(path, certificate)
		}
	}
	if err != nil {
		return nil, nil, fault.Wrap(fault.Host, err, HintFull, "have the certificates of a sinkhole")
	}
	return certificate, key, nil
}
