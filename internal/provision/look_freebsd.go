package provision

import (
	"net"
)

// lookAtScreen looks at its address and at its password.
func (t *bsdProvisioner) lookAtScreen(listen string) (errs []error) {
	if err := canListen("screen", listen); err != nil {
		errs = append(errs, err)
	}
	if _, err := t.password(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// canListen says why nobody can listen on an address; "" is a UNIX socket of
// ours.
func canListen(name, where string) error {
	if where == "" {
		return nil
	}
	l, err := net.Listen("tcp", where)
	if err != nil {
		return listenFault(err, name, where)
	}
	l.Close()
	return nil
}
