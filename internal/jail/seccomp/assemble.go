package seccomp

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// An assembler collects instructions whose jumps go to labels. Conditional jumps of classic BPF
// reach only 255 instructions, so every label is reached by an unconditional one.
type assembler struct {
	code   []bpf.Instruction
	jumps  []jump
	labels []int // where each label is
}

type label int

// A jump is the instruction at an index, which goes to a label.
type jump struct {
	at int
	to label
}

func (s *assembler) add(in ...bpf.Instruction) { s.code = append(s.code, in...) }

func (s *assembler) label() label {
	s.labels = append(s.labels, -1)
	return label(len(s.labels) - 1)
}

func (s *assembler) place(l label) { s.labels[l] = len(s.code) }

func (s *assembler) jump(to label) {
	s.jumps = append(s.jumps, jump{len(s.code), to})
	s.add(bpf.Jump{})
}

func (s *assembler) finish() (Filter, error) {
	for _, j := range s.jumps {
		target := s.labels[j.to]
		if target <= j.at {
			return nil, fmt.Errorf("cannot compile the policy: a jump at %d goes back to %d", j.at, target)
		}
		s.code[j.at] = bpf.Jump{Skip: uint32(target - j.at - 1)}
	}
	if len(s.code) > maxLength {
		return nil, fmt.Errorf("cannot compile the policy: %d instructions, the kernel takes %d", len(s.code), maxLength)
	}
	return bpf.Assemble(s.code)
}
