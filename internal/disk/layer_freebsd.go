package disk

import "skep/internal/cell"

// LayerFormat is the format of layers here: bhyve knows raw images alone, so a layer is a copy of its base.
const LayerFormat = cell.FormatRaw
