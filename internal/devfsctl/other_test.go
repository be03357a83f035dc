package devfsctl

import (
	"errors"
	"runtime"
	"testing"
)

func TestOpenElsewhere(t *testing.T) {
	if runtime.GOOS == "freebsd" {
		t.Skip("this host has devfs")
	}
	if _, err := Open("/dev"); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}
