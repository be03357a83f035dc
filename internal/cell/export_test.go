package cell

// For tests that write cells as well, which package cellfile does.
const MaxCPUs = maxCPUs

// Fresh is a cell of which nothing is said.
func Fresh() Cell { return cellBlock.fresh() }

// Complete fills in defaults.
func Complete(c *Cell) { complete(c) }
