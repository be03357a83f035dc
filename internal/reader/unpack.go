package reader

import "encoding/json"

// UnpackJob is what the unpacker of images is asked for. Its files are "in" and "out".
type UnpackJob struct {
	Packing string // "xz", "gz" or "zst"
	Max     int64  // bytes that it may unpack to
	Asked   bool   // somebody has said how many: it may be far more than was packed
}

// Args is the job as the reader takes it.
func (j UnpackJob) Args() ([]string, error) {
	b, err := json.Marshal(j)
	return []string{string(b)}, err
}
