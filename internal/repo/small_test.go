package repo

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// notSmall are packages that make tables before the first line of a program, or that none but commands and readers need.
var notSmall = []string{"net/http", "html/template", "encoding/xml", "github.com/spf13/cobra", "github.com/hashicorp/hcl/v2/hclwrite",
	"github.com/google/go-cmp/cmp", "oras.land/oras-go/v2", "github.com/opencontainers/go-digest", "gvisor.dev/gvisor/pkg/tcpip",
	"github.com/gopacket/gopacket", "github.com/diskfs/go-diskfs", "github.com/miekg/dns", "github.com/ulikunitz/xz",
	"github.com/klauspost/compress/zstd", "golang.org/x/crypto/ssh", "google.golang.org/protobuf/proto",
	"skep/internal/cli", "skep/internal/drill/attack", "skep/internal/drill/bait", "skep/internal/drill", "skep/internal/inside"}

// TestSmallProgram: what keepers and workers are holds nothing of what only others need, on either system.
func TestSmallProgram(t *testing.T) {
	for _, system := range []string{"linux", "freebsd"} {
		cmd := exec.Command("go", "list", "-deps", "skep/cmd/skep-cell")
		cmd.Dir = root
		cmd.Env = append(cmd.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Fields(string(out))
		if !slices.Contains(all, "skep/internal/keeper") || !slices.Contains(all, "skep/internal/worker") {
			t.Error("skep-cell is no keeper or no worker on", system)
		}
		for _, p := range notSmall {
			if slices.Contains(all, p) {
				t.Errorf("skep-cell has %s in it on %s: each keeper and each worker has its tables", p, system)
			}
		}
	}
}
