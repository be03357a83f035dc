//go:build !freebsd

package cli

import "skep/internal/hypervisor"

// hypervisorHere is what cells of this system run in.
const hypervisorHere = hypervisor.QEMU
