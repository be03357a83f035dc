package kinfo

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// A list is read whole while it grows and shrinks.
func TestListWhileItGrows(t *testing.T) {
	var over atomic.Bool
	var openers sync.WaitGroup
	for range 4 {
		openers.Go(func() {
			for !over.Load() {
				var files []*os.File
				for range 50 {
					if f, err := os.Open("/"); err == nil {
						files = append(files, f)
					}
				}
				for _, f := range files {
					f.Close()
				}
			}
		})
	}
	for range 200 {
		b, err := List("kern.proc.filedesc", os.Getpid())
		if err != nil {
			t.Error(err)
			break
		}
		if files, err := ParseFiles(b); err != nil || len(files) < 3 {
			t.Errorf("%d files, %v", len(files), err)
			break
		}
	}
	over.Store(true)
	openers.Wait()
}
