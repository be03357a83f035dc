package probe

import "testing"

func TestRootMount(t *testing.T) {
	const plain = "28 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n30 28 0:26 / /proc rw - proc proc rw\n"
	const initial = "1 1 0:2 / / rw - rootfs rootfs rw\n20 1 0:20 / /proc rw - proc proc rw\n"
	const covered = initial + "25 1 0:30 / / rw - tmpfs tmpfs rw\n"
	const chroot = "30 28 0:26 / /proc rw - proc proc rw\n"
	for _, tt := range []struct {
		name, text     string
		found, initial bool
	}{{"plain", plain, true, false}, {"initial", initial, true, true}, {"covered", covered, true, false}, {"chroot", chroot, false, false}} {
		if found, initial := rootMount(parseMountinfo(tt.text)); found != tt.found || initial != tt.initial {
			t.Errorf("%s: found %v, initial %v", tt.name, found, initial)
		}
	}
}
