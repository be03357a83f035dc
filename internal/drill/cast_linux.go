package drill

import (
	"runtime"

	"skep/internal/plan"
)

// arch is this machine's, as attackers has them.
const arch = runtime.GOARCH

func (d *drill) cast(p *plan.Plan) { cast(p, d.bait.program) }
