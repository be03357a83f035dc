package screen

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A picture of what SeaBIOS writes on a real QEMU's screen.
func TestCaptureQEMU(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: no QEMU")
	}
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("no qemu-system-x86_64 here")
	}
	for _, password := range []string{"", "hive"} {
		t.Run("password="+password, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "vnc") // sun_path is short
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			socket := filepath.Join(dir, "s")
			args := []string{"-nodefaults", "-no-user-config", "-machine", "q35", "-accel", "tcg", "-vga", "std", "-vnc", "unix:" + socket}
			if password != "" {
				args = append(args[:len(args)-1], "unix:"+socket+",password-secret=pw", "-object", "secret,id=pw,data="+password)
			}
			cmd := exec.Command(qemu, args...)
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer cmd.Process.Kill()
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
				conn, err := net.Dial("unix", socket)
				if err != nil {
					continue // not up yet
				}
				img, err := Capture(ctx, conn, password)
				conn.Close()
				if err != nil {
					t.Fatal(err)
				}
				if !Blank(img) {
					t.Logf("%v", img.Bounds())
					return
				}
			}
			t.Fatal("the screen stayed blank")
		})
	}
}
