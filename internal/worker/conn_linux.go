package worker

// A message here is what one call sent, and descriptors that nobody makes room for are closed by the kernel, which says so.
const (
	endOfMessage = 0
	refusedRoom  = 0
)
