package console

import "io"

// Harmless writes to a terminal what a jailed reader has escaped already. Should that reader have been taken
// over by what it read, nothing that a terminal obeys comes through all the same: control characters become
// question marks.
type Harmless struct {
	W    io.Writer
	last byte
}

func (h *Harmless) Write(p []byte) (int, error) {
	out := make([]byte, len(p))
	for i, b := range p {
		c1 := b >= 0x80 && b < 0xa0 && (h.last < 0x80 || h.last == 0xc2) // no part of a longer character
		if h.last = b; b < 0x20 && b != '\n' && b != '\t' || b == 0x7f || c1 {
			b = '?'
		}
		out[i] = b
	}
	return h.W.Write(out)
}
