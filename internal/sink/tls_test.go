package sink

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"skep/internal/netjob"

	"skep/internal/capture"
	"skep/internal/netlog"
)

// HTTPS has a certificate for whatever name is asked for, from the cell's own authority; tshark decrypts it.
func TestTLS(t *testing.T) {
	ca, key, err := netjob.NewCA("lab")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	one, two := file(t, filepath.Join(dir, "0")), file(t, filepath.Join(dir, "1"))
	x := begin(t, netjob.Sinkhole{Host: "lab", CA: string(ca), CAKey: string(key), CaptureMax: 8 << 20},
		map[string]*os.File{netjob.CaptureOne: one, netjob.CaptureTwo: two})
	x.Lease()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	name := "secret.example"
	c := tls.Client(x.dial(x.address(name)+":443"), &tls.Config{ServerName: name, RootCAs: roots})
	fmt.Fprintf(c, "GET /hidden HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", name)
	if b, err := io.ReadAll(c); err != nil || !strings.Contains(string(b), "200 OK") {
		t.Fatalf("%q, %v", b, err)
	}
	l := x.wait(netlog.HTTP, func(netlog.Line) bool { return true })
	if l.SNI != name || l.Name != name || l.Type != "https" || l.Path != "/hidden" {
		t.Errorf("%+v", l)
	}
	// In pieces of a byte each, and one that does not trust it.
	raw := x.dial(x.address("pieces.example") + ":8443")
	c = tls.Client(slowly{raw}, &tls.Config{ServerName: "pieces.example", RootCAs: roots})
	if err := c.Handshake(); err != nil {
		t.Error(err)
	}
	if err := tls.Client(x.dial("198.51.100.7:443"), &tls.Config{ServerName: "x.example"}).Handshake(); err == nil {
		t.Error("the authority is trusted by everybody")
	}
	x.wait(netlog.TLS, func(l netlog.Line) bool { return l.SNI == "x.example" && l.Why != "" })
	// No certificate is made, and kept, of a name that cannot be one.
	c = tls.Client(x.dial("198.51.100.7:443"), &tls.Config{ServerName: strings.Repeat("long.", 8000) + "example", InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		t.Error(err)
	} else if leaf := c.ConnectionState().PeerCertificates[0]; len(leaf.DNSNames) > 0 || len(leaf.IPAddresses) != 1 {
		t.Errorf("a certificate for %d names, %v", len(leaf.DNSNames), leaf.IPAddresses)
	}

	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	var out bytes.Buffer
	wait(t, func() bool {
		out.Reset()
		return capture.Copy(&out, one, two) == nil && bytes.Contains(out.Bytes(), []byte("CLIENT_TRAFFIC_SECRET_0"))
	})
	path := filepath.Join(dir, "all.pcapng")
	wait(t, func() bool {
		out.Reset()
		if err := capture.Copy(&out, one, two); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := exec.Command(tshark, "-r", path, "-Y", "http.request", "-T", "fields", "-e", "http.request.uri").Output()
		return err == nil && strings.Contains(string(b), "/hidden")
	})
	b, err := exec.Command(tshark, "-r", path, "-T", "fields", "-e", "frame.comment").Output()
	if err != nil || !strings.Contains(string(b), "to secret.example") || !strings.Contains(string(b), "TLS for secret.example") {
		t.Errorf("%v: %q", err, b)
	}
}

func wait(t *testing.T, ok func() bool) {
	t.Helper()
	for range 300 {
		if ok() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("it did not happen")
}

// slowly writes a byte at a time.
type slowly struct{ net.Conn }

func (s slowly) Write(b []byte) (int, error) {
	for i := range b {
		if _, err := s.Conn.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}
