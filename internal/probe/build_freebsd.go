package probe

import (
	"fmt"
	"os"
	"sync"
)

// build tells this skep from another one. What one has found out by trying is
// not believed by the next, which may do better or worse.
var build = sync.OnceValue(func() string {
	path, _ := os.Executable()
	return fmt.Sprint(stampOf(path))
})
