package cell

import "slices"

// Files are files and directories of the host that the guest gets to read, as an image that is made at each
// start.
type Files struct {
	Label string   `json:"label"`
	Paths []string `json:"paths"`
	As    string   `json:"as"`    // "iso"
	Model string   `json:"model"` // "virtio" (default), "ahci": a CD
}

// Seed is what cloud-init in the guest finds: its data source NoCloud, on an image that is made at each start.
type Seed struct {
	UserData Text     `json:"user_data"`
	MetaData Text     `json:"meta_data"`
	Network  Text     `json:"network"`
	SSHKeys  []string `json:"ssh_keys,omitempty"`
	// SinkholeCA has the guest trust the authority of its sinkhole.
	SinkholeCA bool   `json:"sinkhole_ca,omitempty"`
	Hostname   string `json:"hostname,omitempty"`
	Model      string `json:"model"` // "virtio" (default), "ahci": a CD
}

// Results is a disk that the guest writes and that skep results reads.
type Results struct {
	Label  string        `json:"label"`
	Size   Size          `json:"size"`
	Format ResultsFormat `json:"format"`
	Model  string        `json:"model"` // as of a disk
}

// ResultsFormat is what a guest writes results as.
type ResultsFormat string

// The formats of results.
const (
	ResultsTar  ResultsFormat = "tar" // from the disk's first byte
	ResultsFAT  ResultsFormat = "fat"
	ResultsExt4 ResultsFormat = "ext4"
)

// SeedLabel is what the drive of the seed is called beside the disks.
const SeedLabel = "seed"

// Text is text in the cell file or in a file of its own.
type Text struct {
	Path   string `json:"path,omitempty"`
	Inline string `json:"inline,omitempty"`
}

// There says whether there is one.
func (t Text) There() bool { return t != Text{} }

// Made is what a drive is made of that no disk block describes.
type Made string

// What drives are made of.
const (
	MadeFiles Made = "files"
	MadeSeed  Made = "seed"
	// MadeResults is a disk like others, in the cell's state directory; it stays.
	MadeResults Made = "results"
)

// Drives are all disks of the guest: those of disk blocks, and behind them those that skep makes, each with a
// label of its own.
func (c *Cell) Drives() []Disk {
	all := slices.Clone(c.Disks)
	for _, f := range c.Files {
		all = append(all, Disk{Label: f.Label, Format: FormatRaw, ReadOnly: true, Model: f.Model, Made: MadeFiles})
	}
	if c.Seed != nil {
		all = append(all, Disk{Label: SeedLabel, Format: FormatRaw, ReadOnly: true, Model: c.Seed.Model, Made: MadeSeed})
	}
	for _, r := range c.Results {
		all = append(all, Disk{Label: r.Label, Format: FormatRaw, Size: r.Size, Model: r.Model, Made: MadeResults, Results: r.Format})
	}
	return all
}

// Block is the path of the block that describes a drive, a key of Sources.
func (d Disk) Block() string {
	switch d.Made {
	case MadeFiles:
		return "files." + d.Label
	case MadeSeed:
		return "seed"
	case MadeResults:
		return "results." + d.Label
	}
	return "disk." + d.Label
}

// MadeAnew says whether a drive is an image that skep makes at each start.
func (d Disk) MadeAnew() bool { return d.Made == MadeFiles || d.Made == MadeSeed }

// GrowsByCall says whether a drive is a raw image that the guest writes to: QEMU asks for a call to enlarge one
// while its guest runs, and for none to enlarge a layer or a qcow2 image.
func (d Disk) GrowsByCall() bool {
	return d.File != "" && !d.ReadOnly && (d.Format == FormatRaw || d.Format == "") || d.Made == MadeResults
}

// CD says whether the guest sees a drive with a disc in it.
func (d Disk) CD() bool { return d.ISO != "" || d.MadeAnew() && d.Model == "ahci" }

// withheld stands for text that is not shown.
const withheld = "(not shown)"

// ForShow is the cell as it may be shown: without the text of a seed that its file holds, in which there may
// be passwords.
func (c *Cell) ForShow() *Cell {
	if c == nil || c.Seed == nil {
		return c
	}
	shown, seed := *c, *c.Seed
	for _, t := range []*Text{&seed.UserData, &seed.MetaData, &seed.Network} {
		if t.Inline != "" {
			t.Inline = withheld
		}
	}
	shown.Seed = &seed
	return &shown
}

// String keeps the text itself out of whatever prints a cell.
func (t Text) String() string {
	if t.Inline != "" {
		return withheld
	}
	return t.Path
}
