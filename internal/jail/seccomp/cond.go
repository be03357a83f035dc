package seccomp

import "fmt"

// The three shapes of condition that the tables use.

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

// notAll: at least one of the two bits is missing.
func notAll(arg int, a, b named) Cond {
	return Cond{Arg: arg, Mask: a.value | b.value, In: []uint64{0, a.value, b.value},
		Text: fmt.Sprintf("not %s with %s", a.name, b.name)}
}

// null: the pointer is nil.
func null(arg int, what string) Cond {
	return Cond{Arg: arg, Mask: ^uint64(0), In: []uint64{0}, Text: what + " is NULL"}
}

// A named value reads in a listing as the manual page writes it.
type named struct {
	name  string
	value uint64
}
