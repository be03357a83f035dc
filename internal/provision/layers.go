//go:build linux || freebsd

package provision

import (
	"os"
	"path/filepath"

	"skep/internal/disk"
	"skep/internal/image"
	"skep/internal/layout"
	"skep/internal/plan"
)

// acquireLayer opens the base, for reading and nothing else, and makes the layer
// where it is missing. The layer itself is opened as the disk that it is.
// A template's layer, where there is one between the two, is opened as the base is.
func acquireLayer(l *plan.Layer) (base, frozen *os.File, made bool, err error) {
	base, digest, err := openBase(l)
	if err != nil {
		return nil, nil, false, err
	}
	if l.Frozen != "" {
		frozen, err = disk.OpenFrozen(l)
	}
	if err == nil {
		made, err = disk.MakeLayer(l, base, digest)
	}
	if err != nil {
		base.Close()
		if frozen != nil {
			frozen.Close()
		}
		return nil, nil, false, err
	}
	return base, frozen, made, nil
}

// openBase opens what a layer lies on; digest is the content of an image.
func openBase(l *plan.Layer) (base *os.File, digest string, err error) {
	if l.Image == "" {
		base, err = disk.OpenBase(l)
		return base, "", err
	}
	dirs := imagesOf(l)
	i, err := image.View(dirs).Settled(l.Image)
	if err == nil {
		err = image.View(dirs).Check(i)
	}
	if err == nil {
		base, err = disk.OpenBase(l)
	}
	return base, i.Digest, err
}

// imagesOf is the store that a layer's image lies in.
func imagesOf(l *plan.Layer) layout.Dirs {
	return layout.Dirs{State: filepath.Dir(filepath.Dir(filepath.Dir(l.Base)))}
}

// lookAtLayer says beforehand why a layer could not be had.
func lookAtLayer(l *plan.Layer) error {
	base, digest, err := openBase(l)
	if err != nil {
		return err
	}
	defer base.Close()
	return disk.CheckLayer(l, base, digest)
}
