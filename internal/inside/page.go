package inside

import (
	"encoding/json"
	"errors"
	"runtime"

	"skep/internal/page"
	"skep/internal/tool"
)

// servePage answers browsers until whoever has started it ends.
func servePage(in tool.Inside) error {
	var setup page.Setup
	pipe := in.Files["serve"]
	if len(in.Args) != 1 || pipe == nil {
		return errors.New("a setup and a pipe are needed")
	}
	if err := json.Unmarshal([]byte(in.Args[0]), &setup); err != nil {
		return err
	}
	defer runtime.KeepAlive(pipe) // a file that nobody has any more is closed
	return page.Serve(int(pipe.Fd()), setup)
}
