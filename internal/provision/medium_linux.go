package provision

import (
	"bytes"
	"os"

	"skep/internal/plan"
)

// acquireMedium makes an image and keeps a descriptor that can only be read. It has no name by then: nobody
// else can open it, and whatever dies, nothing of it is left.
func (t *linuxProvisioner) acquireMedium(s *plan.Medium) error {
	f, err := t.openMedium(s)
	t.hold("disk:"+s.Label, f)
	return err
}

func (t *linuxProvisioner) openMedium(s *plan.Medium) (*os.File, error) {
	if s.Path == "" {
		var image bytes.Buffer
		if err := writeMedium(t.cell, s, &image); err != nil {
			return nil, err
		}
		return memfile(plan.SeedMemory, image.Bytes())
	}
	f, err := makeMedium(t.cell, s)
	if err != nil {
		return nil, err
	}
	if err := removeFile(s.Path); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
