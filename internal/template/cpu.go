package template

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// cpuOf is a digest of what proc_cpuinfo(5) says of the first processor that does not change while it runs.
func cpuOf(text string) string {
	h := sha256.New()
	for line := range strings.Lines(text) {
		key, value, is := strings.Cut(line, ":")
		if !is {
			break // the next processor
		}
		switch strings.TrimSpace(key) {
		case "vendor_id", "cpu family", "model", "stepping", "flags", "CPU implementer", "CPU part", "CPU variant", "CPU revision", "Features":
			h.Write([]byte(strings.TrimSpace(key) + strings.TrimSpace(value) + "\n"))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
