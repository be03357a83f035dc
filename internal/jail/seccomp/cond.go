package seccomp

// The shapes of condition that the tables use.

// among: the int argument is one of the named values.
func among(arg int, values ...named) Cond {
	c := Cond{Arg: arg, Width: Int, Mask: 0xffffffff}
	for i, v := range values {
		if i > 0 {
			c.Text += "|"
		}
		c.Text += v.name
		c.In = append(c.In, v.value)
	}
	return c
}

// exactly: the whole argument, all 64 bits of it, is v.
func exactly(arg int, v named) Cond {
	return Cond{Arg: arg, Mask: ^uint64(0), In: []uint64{v.value}, Text: v.name}
}

// none: not one of the bits is set.
func none(arg int, bits named) Cond {
	return Cond{Arg: arg, Mask: bits.value, In: []uint64{0}, Text: "no " + bits.name}
}

// all: each of the bits is set; lacks: one of them is not; some: one of them is.
func all(arg int, bits named) Cond {
	return Cond{Arg: arg, Mask: bits.value, In: []uint64{bits.value}, Text: "with " + bits.name}
}

func lacks(arg int, bits named) Cond {
	return Cond{Arg: arg, Mask: bits.value, In: []uint64{bits.value}, Not: true, Text: "without " + bits.name}
}

func some(arg int, bits named) Cond {
	return Cond{Arg: arg, Mask: bits.value, In: []uint64{0}, Not: true, Text: "with one of " + bits.name}
}

// notAmong: the int argument is none of the named values; notNull: the pointer points somewhere.
func notAmong(arg int, values ...named) Cond {
	c := among(arg, values...)
	c.Not, c.Text = true, "not "+c.Text
	return c
}

func notNull(arg int, what string) Cond {
	return Cond{Arg: arg, Mask: ^uint64(0), In: []uint64{0}, Not: true, Text: what + " is not NULL"}
}

// A named value reads in a listing as the manual page writes it.
type named struct {
	name  string
	value uint64
}
