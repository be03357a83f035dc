package disk

import "skep/internal/cell"

// LayerFormat is the format of layers here: QEMU reads what is not in one from the base.
const LayerFormat = cell.FormatQcow2
