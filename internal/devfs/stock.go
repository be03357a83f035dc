package devfs

import _ "embed"

// StockName is where FreeBSD keeps the rule sets that every host has.
const StockName = "/etc/defaults/devfs.rules"

// Stock has the shape of that file, for questions about a host that is not at
// hand: sets 1 to 5 under their names, without the terminals of old.
//
//go:embed stock.rules
var Stock string
