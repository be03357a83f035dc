package sink

import (
	"bytes"
	"container/list"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"time"

	"skep/internal/capture"
	"skep/internal/netlog"
)

// mostCertificates are kept at a time. A longer name than there can be (RFC 1035) gets none of its own: what a guest
// sends as one may have 64 KiB.
const (
	mostCertificates = 512
	longestName      = 253
)

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err)
	}
	return n
}

// authority makes a certificate for each name that is asked for.
type authority struct {
	ca   *x509.Certificate
	sign any
	leaf *ecdsa.PrivateKey

	mu   sync.Mutex
	have map[string]*list.Element
	used *list.List
}

type issued struct {
	name string
	cert *tls.Certificate
}

func newAuthority(certPEM, keyPEM string) (*authority, error) {
	pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil {
		return nil, err
	}
	a := &authority{ca: pair.Leaf, sign: pair.PrivateKey, have: map[string]*list.Element{}, used: list.New()}
	a.leaf, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return a, err
}

// of is the certificate of a name or an address.
func (a *authority) of(name string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e, ok := a.have[name]; ok {
		a.used.MoveToFront(e)
		return e.Value.(issued).cert, nil
	}
	c := &x509.Certificate{
		SerialNumber: serial(), NotBefore: time.Now().AddDate(0, 0, -30), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if len(name) <= 64 {
		c.Subject.CommonName = name
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		c.IPAddresses = []net.IP{ip.AsSlice()}
	} else {
		c.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.ca, a.leaf.Public(), a.sign)
	if err != nil {
		return nil, err
	}
	cert := &tls.Certificate{Certificate: [][]byte{der, a.ca.Raw}, PrivateKey: a.leaf}
	if a.used.Len() >= mostCertificates {
		delete(a.have, a.used.Remove(a.used.Back()).(issued).name)
	}
	a.have[name] = a.used.PushFront(issued{name, cert})
	return cert, nil
}

func isTLS(first []byte) bool { return len(first) > 2 && first[0] == 22 && first[1] == 3 }

// keys are the secrets of the sinkhole's own sessions, for whoever reads the capture.
type keys struct{ s *sink }

func (k keys) Write(line []byte) (int, error) {
	if k.s.ring != nil {
		k.s.ring.Keys(bytes.Clone(line))
	}
	return len(line), nil
}

// secure is what is spoken inside of TLS.
func (s *sink) secure(f *flow) (net.Conn, error) {
	if s.ca == nil {
		return nil, errors.New("there is no authority")
	}
	f.secured = true
	c := tls.Server(f, &tls.Config{
		MinVersion: tls.VersionTLS10, KeyLogWriter: keys{s}, SessionTicketsDisabled: true,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			f.sni = hello.ServerName
			name := f.dst.Addr().String()
			for _, known := range []string{f.name, f.sni} {
				if known != "" && len(known) <= longestName {
					name = known
				}
			}
			if s.ring != nil {
				s.ring.Note(capture.Flow(f.src, f.dst), "TLS for "+netlog.Text(name, 253))
			}
			return s.ca.of(canonical(name))
		},
	})
	_ = c.SetDeadline(time.Now().Add(idle))
	err := c.Handshake()
	line := s.line(f, netlog.TLS)
	if err != nil {
		line.Why = err.Error()
	} else {
		line.Type = tls.VersionName(c.ConnectionState().Version)
	}
	s.log.Write(line)
	return c, err
}
