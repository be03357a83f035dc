//go:build linux || freebsd

package provision

import (
	"errors"
	"io/fs"
	"os"

	"skep/internal/fault"
	"skep/internal/layout"
	"skep/internal/netjob"
)

// sinkholeCA is the authority of a cell's sinkhole, made at the first start: its certificate and its key.
func sinkholeCA(path, cell string) (certificate, key []byte, err error) {
	certificate, err = os.ReadFile(path)
	if err == nil {
		key, err = os.ReadFile(layout.KeyOf(path))
	}
	if errors.Is(err, fs.ErrNotExist) {
		if certificate, key, err = netjob.NewCA(cell); err == nil {
			err = os.WriteFile(layout.KeyOf(path), key, 0o600)
		}
		if err == nil {
			err = os.WriteFile(path, certificate, 0o644)
		}
	}
	if err != nil {
		return nil, nil, fault.Wrap(fault.Host, err, HintFull, "have the certificates of a sinkhole")
	}
	return certificate, key, nil
}
