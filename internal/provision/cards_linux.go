package provision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"skep/internal/fault"
	"skep/internal/network"
	"skep/internal/plan"
)

// claimCard has no other card on the bridge have this one's address. Clones of one template all have it: the
// guest knows it. The tap is there before its name is in the file, so a claim whose tap is gone is nobody's.
func claimCard(t *plan.Tap) error {
	if t.Claim == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(t.Claim), 0o700); err != nil {
		return err
	}
	text := t.Name + "\n" + t.Tag + "\n"
	for range 3 {
		err := writeNew(t.Claim, text)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		has, err := os.ReadFile(t.Claim)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		name, tag, _ := strings.Cut(strings.TrimSuffix(string(has), "\n"), "\n")
		if string(has) == text {
			return nil
		}
		link, there, err := network.LinkOf(name)
		if err == nil && there && link.Tag == tag {
			owner := strings.TrimPrefix(tag, "skep tap ")
			return fault.New(fault.Input, "another bridge, or leave mac out; clones of one template have one address",
				"give network card %q the address %s on %s: %s has it", t.Label, t.MAC, t.Bridge, fmt.Sprintf("%q", owner))
		}
		if err := removeFile(t.Claim); err != nil {
			return err
		}
	}
	return fault.New(fault.Busy, "", "give network card %q the address %s on %s", t.Label, t.MAC, t.Bridge)
}

// unclaimCard lets another card have the address.
func unclaimCard(t *plan.Tap) error {
	if t.Claim == "" {
		return nil
	}
	has, err := os.ReadFile(t.Claim)
	if err != nil || string(has) != t.Name+"\n"+t.Tag+"\n" {
		return nil
	}
	return removeFile(t.Claim)
}
