package inside

import (
	"encoding/json"
	"errors"

	"skep/internal/capture"
	"skep/internal/netjob"
	"skep/internal/tool"
)

func captureTap(in tool.Inside) error {
	var j netjob.Capture
	if err := json.Unmarshal([]byte(arg(in)), &j); err != nil {
		return err
	}
	r, err := capture.New(j.Cell, j.NIC, in.Files[netjob.CaptureOne], in.Files[netjob.CaptureTwo], j.Most)
	if err != nil {
		return err
	}
	return errors.Join(capture.Receive(j, in.Files, r), r.Close())
}
