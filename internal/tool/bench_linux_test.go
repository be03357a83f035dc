package tool

import "testing"

func BenchmarkReader(b *testing.B) {
	f := facts(b)
	j := job(b, "copy")
	for b.Loop() {
		if _, err := Run(b.Context(), f, j); err != nil {
			b.Fatal(err)
		}
	}
}
