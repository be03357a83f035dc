package cell

// Hello is the cell "hello": the built-in guest in the jail that an empty cell
// file asks for.
func Hello() *Cell {
	c := cellBlock.fresh()
	c.Name = "hello"
	complete(&c)
	return &c
}

// Where says which line of the cell file asked for what is at path, a key of
// Sources. If the file does not say it, the block around it may be there.
func (c *Cell) Where(path string) (Pos, bool) {
	p, ok := c.Sources[path]
	return p, ok
}
