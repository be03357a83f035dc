package unixsock

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestListenAndDial(t *testing.T) {
	for name, dir := range map[string]string{"short": t.TempDir(), "long": filepath.Join(t.TempDir(), strings.Repeat("d", 120))} {
		t.Run(name, func(t *testing.T) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "s")
			l, err := Listen(path)
			if runtime.GOOS != "linux" && len(path) > maxSunPath {
				if err == nil {
					t.Error("a path that no socket address holds is accepted")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v: others may connect", info.Mode(), err)
			}
			c, err := Dial(path)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if pid := Peer(c); pid != os.Getpid() {
				t.Errorf("the peer is process %d, this one is %d", pid, os.Getpid())
			}
		})
	}
}
