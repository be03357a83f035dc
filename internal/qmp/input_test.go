package qmp

import "testing"

// A pixel is found again by a guest that rounds down, on screens of any size.
func TestScale(t *testing.T) {
	for _, size := range []int{1, 640, 800, 1024, 1366, 1920, 4096} {
		for x := range size {
			if back := scale(x, size) * size / 0x8000; back != x {
				t.Fatalf("pixel %d of %d is pixel %d", x, size, back)
			}
		}
	}
}
