package e2e

import (
	"path/filepath"
	"sync"
	"testing"

	"skep/internal/e2e/guestkernel"
)

// needKernel skips where no kernel is to be had.
func needKernel(t testing.TB) guestkernel.Guest {
	t.Helper()
	needCells(t)
	k, err := theKernel()
	if err != nil {
		t.Skip("needs a Linux kernel for the guest: " + err.Error())
	}
	return k
}

var theKernel = sync.OnceValues(func() (guestkernel.Guest, error) {
	dir := filepath.Dir(skep)
	init, err := build(dir, "init", guestkernel.Init, "GOOS=linux", "GOARCH=amd64")
	if err != nil {
		return guestkernel.Guest{}, err
	}
	return guestkernel.Prepare(dir, init)
})
