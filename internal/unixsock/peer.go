package unixsock

// Cred is the user at the other end of a UNIX socket when it connected, and the groups, as the kernel says.
type Cred struct {
	UID    int
	Groups []int
}
