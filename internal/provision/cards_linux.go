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
	lock, err := lockDir(filepath.Dir(t.Claim))
	if err != nil {
		return err
	}
	defer lock.Close()
	has, err := os.ReadFile(t.Claim)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	name, tag, _ := strings.Cut(strings.TrimSuffix(string(has), "\n"), "\n")
	if name != "" && string(has) != claimOf(t) {
		link, there, err := network.LinkOf(name)
		if err != nil && !there {
			return err
		}
		if there && link.Tag == tag {
			owner := strings.TrimPrefix(tag, "skep tap ")
			return fault.New(fault.Input, "another bridge, or leave mac out; clones of one template have one address",
				"give network card %q the address %s on %s: %s has it", t.Label, t.MAC, t.Bridge, fmt.Sprintf("%q", owner))
		}
	}
	return os.WriteFile(t.Claim, []byte(claimOf(t)), 0o600)
}

// claimOf is what is in the file.
func claimOf(t *plan.Tap) string { return t.Name + "\n" + t.Tag + "\n" }

// unclaimCard lets another card have the address. A claim that its keeper was killed in the middle of writing has a
// part of the text, or nothing.
func unclaimCard(t *plan.Tap) error {
	if t.Claim == "" {
		return nil
	}
	lock, err := lockDir(filepath.Dir(t.Claim))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	has, err := os.ReadFile(t.Claim)
	if err != nil || !strings.HasPrefix(claimOf(t), string(has)) {
		return nil
	}
	return removeFile(t.Claim)
}
