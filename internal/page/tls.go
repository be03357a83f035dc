package page

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
)

// tls is what wraps a connection to an address that is not this host's own. Nobody comes in without a
// certificate.
func (s Setup) tls() (func(net.Conn) net.Conn, error) {
	if len(s.Cert) == 0 {
		return func(c net.Conn) net.Conn { return c }, nil
	}
	pair, err := tls.X509KeyPair(s.Cert, s.Key)
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(s.Clients) {
		return nil, errors.New("there is no certificate that could sign those of people")
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
		NextProtos: []string{"http/1.1"}, // WebSockets are of it
	}
	return func(c net.Conn) net.Conn { return tls.Server(c, config) }, nil
}

// certifies says whether the page's own certificate is for that name.
func (s Setup) certifies(name string) bool {
	block, _ := pem.Decode(s.Cert)
	if block == nil {
		return false
	}
	c, err := x509.ParseCertificate(block.Bytes)
	return err == nil && c.VerifyHostname(name) == nil
}
