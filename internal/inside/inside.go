// Package inside is what readers do once they are in their jails: the functions behind the names of package reader.
package inside

import (
	"skep/internal/capture"
	"skep/internal/netjob"
	"skep/internal/reader"
	"skep/internal/segment"
	"skep/internal/sink"
	"skep/internal/tool"
	"skep/internal/usernet"
)

// Table is every reader.
func Table() tool.Readers {
	return tool.Readers{
		reader.Cut:     cut,
		reader.Copy:    copyDisk,
		reader.Log:     printLog,
		reader.Unpack:  unpackImage,
		reader.Results: bringOut,
		reader.Page:    servePage,
		reader.Memory:  makeDump,
		reader.Diff:    diffDisk,
		reader.Sheet:   drawSheet,

		reader.Capture: captureTap,
		reader.CaptureFile: func(in tool.Inside) error {
			return capture.Copy(in.Out, in.Files[netjob.CaptureOne], in.Files[netjob.CaptureTwo])
		},
		reader.Segment:  func(in tool.Inside) error { return segment.Run(arg(in), in.Files) },
		reader.UserNet:  func(in tool.Inside) error { return usernet.Run(arg(in), in.Files) },
		reader.Sinkhole: func(in tool.Inside) error { return sink.Run(arg(in), in.Files) },
	}
}

// arg is the only argument of a network: what it is told.
func arg(in tool.Inside) string {
	if len(in.Args) != 1 {
		return ""
	}
	return in.Args[0]
}
