package drill

import "context"

// scene: here the keeper reads what bhyve says; there is no worker whose place could be taken.
func (d *drill) scene(context.Context, *Report) error { return nil }
