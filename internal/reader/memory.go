package reader

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"skep/internal/memdump"
	"skep/internal/tool"
)

// longestDump bounds the making of a dump.
const longestDump = 2 * time.Hour

// Memory makes a file of what a hypervisor writes of its guest's memory, in a jail.
func (h Host) Memory(ctx context.Context, to, from *os.File, j memdump.Job) (r memdump.Report, err error) {
	args, err := json.Marshal(j)
	if err != nil {
		return r, err
	}
	out, err := tool.Run(ctx, h.Facts, tool.Job{Tool: tool.Reader(Memory), Args: []string{string(args)},
		Files: []tool.File{{Name: "from", File: from}, {Name: "to", File: to}}, AllowMissing: h.AllowMissing,
		Limits: tool.Limits{Wall: longestDump, FileSize: j.MaxFile(), Output: 1 << 20}})
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(out.Bytes, &r); err != nil {
		return r, fmt.Errorf("the reader of memory said what it should not: %w", err)
	}
	return r, nil
}
