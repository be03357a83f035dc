package reader

import (
	"encoding/json"
	"errors"

	"skep/internal/capture"
	"skep/internal/tool"
)

// CaptureJob is what a capture on a tap is told. Its files are the socket and the two that it writes.
type CaptureJob struct {
	Cell string `json:"cell"`
	NIC  string `json:"nic"`
	Most int64  `json:"most"` // of each of the two
}

// CaptureSocket names the packet socket among its files.
const CaptureSocket = "socket"

func captureTap(in tool.Inside) error {
	var j CaptureJob
	if err := json.Unmarshal([]byte(arg(in)), &j); err != nil {
		return err
	}
	r, err := capture.New(j.Cell, j.NIC, in.Files[capture.FileOne], in.Files[capture.FileTwo], j.Most)
	if err != nil {
		return err
	}
	return errors.Join(capture.Receive(in.Files[CaptureSocket], r), r.Close())
}
