package image

import (
	"os"
	"strings"
)

// Formats are those that an import reads.
var Formats = []string{"qcow2", "raw", "raw.gz", "raw.xz", "raw.zst", "vdi", "vhd", "vhdx", "vmdk"}

// drivers are QEMU's names for the formats that qemu-img reads.
var drivers = map[string]string{"qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhdx": "vhdx", "vhd": "vpc"}

// marks are how a format begins, or with a negative place how it ends.
var marks = []struct {
	at     int64
	bytes  string
	format string
}{
	{0, "QFI\xfb", "qcow2"},
	{0, "KDMV", "vmdk"},
	{0, "COWD", "vmdk"},
	{0, "# Disk DescriptorFile", "vmdk"},
	{64, "\x7f\x10\xda\xbe", "vdi"},
	{0, "vhdxfile", "vhdx"},
	{0, "conectix", "vhd"},
	{-512, "conectix", "vhd"},
	{0, "\xfd7zXZ\x00", "raw.xz"},
	{0, "\x1f\x8b", "raw.gz"},
	{0, "\x28\xb5\x2f\xfd", "raw.zst"},
}

// formatOf is what a file looks like. It may look like anything that whoever wrote it wants: what follows
// from it is no more than which program reads it, in its jail.
func formatOf(f *os.File) (string, error) {
	for _, m := range marks {
		if head(f, m.at, len(m.bytes)) == m.bytes {
			return m.format, nil
		}
	}
	_, err := f.Seek(0, 0)
	return "raw", err
}

// cutPacking parts "raw.xz".
func cutPacking(format string) (inner, packing string, packed bool) {
	return strings.Cut(format, ".")
}
