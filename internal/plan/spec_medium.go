package plan

// MediumSuffix ends the name of an image that a cell has in its state directory while it runs.
const MediumSuffix = ".iso"

// SeedVolume is the label by which cloud-init knows its seed.
const SeedVolume = "cidata"

// SeedMemory is what the file in memory is called that has the seed: /memfd:seed.
const SeedMemory = "seed"

// Medium is an ISO image that is made at the start, for the guest to read, and gone when the cell ends. What
// a seed says is in the cell and nowhere else: there may be passwords in it.
type Medium struct {
	CA     string   `json:"ca,omitempty"` // of a seed: the certificate of the sinkhole's authority
	Label  string   `json:"label"`
	Volume string   `json:"volume"`
	Seed   bool     `json:"seed,omitempty"`
	Paths  []string `json:"paths,omitempty"`
	// Path is where the host has it while the cell runs; "" where it is a file in memory without a name. On
	// Linux the name goes once the file is open.
	Path string `json:"path,omitempty"`
}

// Kind implements Spec.
func (*Medium) Kind() Kind { return KindMedium }

// Take implements Spec.
func (m *Medium) Take() []string {
	words := []string{"genisoimage", "-quiet", "-J", "-r", "-V", m.Volume}
	switch {
	case m.Seed && m.Path == "":
		return []string{command(append(words, "user-data", "meta-data")...) + " > seed.iso  # in memory"}
	case m.Seed:
		return []string{command(append(words, "-o", m.Path, "user-data", "meta-data")...)}
	}
	return []string{command(append(append(words, "-o", m.Path), m.Paths...)...)}
}

// Release implements Spec.
func (m *Medium) Release() []string {
	if m.Path == "" {
		return nil
	}
	return []string{command("rm", "-f", m.Path)}
}
