package inside

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"skep/internal/disk"
	"skep/internal/memdump"
	"skep/internal/tool"
)

func cut(in tool.Inside) error {
	image := in.Files["image"]
	if len(in.Args) != 1 || image == nil {
		return errors.New("an image and its size are needed")
	}
	size, err := strconv.ParseInt(in.Args[0], 10, 64)
	if err != nil {
		return err
	}
	at, isCut, err := disk.Cut(image, size)
	if err == nil && isCut {
		fmt.Fprint(in.Out, at)
	}
	return err
}

func copyDisk(in tool.Inside) error {
	from, to := in.Files["from"], in.Files["to"]
	if from == nil || to == nil {
		return errors.New("a disk and a file are needed")
	}
	return disk.Fill(to, from, in.Progress)
}

func makeDump(in tool.Inside) error {
	var j memdump.Job
	from, to := in.Files["from"], in.Files["to"]
	if len(in.Args) != 1 || from == nil || to == nil {
		return errors.New("a job and two files are needed")
	}
	if err := json.Unmarshal([]byte(in.Args[0]), &j); err != nil {
		return err
	}
	report, err := memdump.Make(to, from, j)
	if err != nil {
		return err
	}
	return json.NewEncoder(in.Out).Encode(report)
}
