// Package reader is the table of what reads bytes that a guest, or whoever has taken its hypervisor over,
// has made, and how a reader is asked. Each runs in a jail of its own, by package tool; what it does there is in
// package inside, whose packages nobody needs who only asks.
package reader

// Names of the readers.
const (
	// Log prints a guest's console, as it was asked for.
	Log = "log"
	// Cut follows the tables of a qcow2 image, to see whether the file is whole.
	Cut = "qcow2-tables"
	// Copy copies a disk to a file.
	Copy = "copy"
	// Unpack writes what is packed in a file into another one: an image that is imported.
	Unpack = "unpack"
	// Page is the HTTP half of skep serve.
	Page = "page"
	// Results reads what a guest has left on a disk for the host: tar, FAT, ext4.
	Results = "results"
	// Memory makes a file of a guest's memory of what a hypervisor writes.
	Memory = "memory"
	// Diff compares the layer of a disk with its base: extents, and files.
	Diff = "disk-diff"
	// Sheet draws pictures of a screen onto one.
	Sheet = "contact-sheet"
	// Sinkhole is the network of a guest that leads nowhere.
	Sinkhole = "sinkhole"
	// UserNet is the network of a guest that leads to what its cell file allows.
	UserNet = "usernet"
	// Segment is a cell's end of a network that several cells share and nobody else.
	Segment = "segment"
	// Capture writes down the frames of a card on a tap, and CaptureFile puts what it wrote into one file.
	Capture     = "capture"
	CaptureFile = "capture-file"
)
