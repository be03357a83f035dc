package provision

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"skep/internal/plan"
)

// A sealed directory is nobody's to write to, in both ways, and unsealed it is what it was.
func TestSeal(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for name, raised := range map[string]bool{"schg": false, "a host with a securelevel": true} {
		t.Run(name, func(t *testing.T) {
			if level, err := unix.SysctlUint32("kern.securelevel"); err == nil && int32(level) > 0 && !raised {
				t.Skip("this host's securelevel lets no flag be taken off again")
			}
			dir := filepath.Join(t.TempDir(), "rootfs")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := seal(dir, raised); err != nil {
				t.Fatal(err)
			}
			var st unix.Stat_t
			if err := unix.Stat(dir, &st); err != nil {
				t.Fatal(err)
			}
			if flag, nobodys := st.Flags&schg != 0, st.Uid == plan.NobodyUID && st.Mode&0o222 == 0; flag == raised || nobodys != raised {
				t.Errorf("flags %#x, user %d, mode %o", st.Flags, st.Uid, st.Mode)
			}
			if err := unseal(dir); err != nil {
				t.Fatal(err)
			}
			if err := unix.Stat(dir, &st); err != nil || st.Flags&schg != 0 || st.Uid != 0 || st.Mode&0o777 != 0o755 {
				t.Errorf("unsealed: %v, flags %#x, user %d, mode %o", err, st.Flags, st.Uid, st.Mode)
			}
			if err := unseal(filepath.Join(dir, "none")); err != nil {
				t.Error(err)
			}
		})
	}
}
