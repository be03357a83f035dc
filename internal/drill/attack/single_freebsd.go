package attack

// Why one layer has to do on FreeBSD.
const (
	singleCapsicum = "it asks for no privilege, and a jail has no list of calls"
	singleLimit    = "a limit holds as long as nobody may raise it"
	singleJail     = "that root has no rights is the jail's doing: both go together"
	singleNode     = "the descriptor is bhyve's own: only its list of rights and requests stands before the driver"
)
