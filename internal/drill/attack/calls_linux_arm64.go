package attack

// Calls that this architecture has not got. There is no attacker for it yet;
// with one, these rows would ask for a call that no kernel knows.
const (
	noCall       = 0xfff
	sysOpen      = noCall
	sysModifyLDT = noCall
	sysIOPL      = noCall
	sysIOPerm    = noCall
	sysFork      = noCall
)
