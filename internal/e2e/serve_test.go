package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// served is a skep serve that runs, and what it printed.
type served struct {
	cmd    *exec.Cmd
	lines  []string
	socket string
}

// serve starts one and waits for so many lines.
func (l *lab) serve(want int, args ...string) *served {
	l.t.Helper()
	cmd := exec.Command(skep, append([]string{"serve"}, args...)...)
	return l.serveBy(cmd, want)
}

func (l *lab) serveBy(cmd *exec.Cmd, want int) *served {
	l.t.Helper()
	s := &served{cmd: cmd, socket: l.path("run/serve.sock")}
	s.cmd.Env = append(os.Environ(), l.env...)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	var said strings.Builder
	s.cmd.Stderr = &said
	if err := s.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		if err := s.cmd.Wait(); err != nil {
			l.t.Errorf("skep serve ends with %v\n%s", err, said.String())
		}
		if l.t.Failed() {
			l.t.Logf("skep serve said:\n%s", said.String())
		}
		if _, err := os.Lstat(s.socket); err == nil {
			l.t.Error("its socket is left behind")
		}
	})
	lines := bufio.NewScanner(out)
	for len(s.lines) < want && lines.Scan() {
		s.lines = append(s.lines, lines.Text())
	}
	if len(s.lines) < want {
		l.t.Fatalf("it printed %q and said %s", s.lines, said.String())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return s
}

// on is a client of a UNIX socket.
func on(socket string) *http.Client {
	return &http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", socket)
	}}}
}

func asked(t *testing.T, c *http.Client, method, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// child is the page's process: the only one that skep serve has started.
func (s *served) child(t *testing.T) int {
	t.Helper()
	var pid int
	eventually(t, limit, "the page is there", func() bool {
		out, err := exec.Command("pgrep", "-P", strconv.Itoa(s.cmd.Process.Pid)).Output()
		fields := strings.Fields(string(out))
		if err != nil || len(fields) != 1 {
			return false
		}
		pid, err = strconv.Atoi(fields[0])
		return err == nil && pageIsJailed(pid)
	})
	return pid
}

// TestServe: a cell is started, listed, read and stopped over the socket, by a page that is jailed.
func TestServe(t *testing.T) {
	l := servingLab(t)
	l.cell("web", emulated)
	s := l.serve(1)
	if i, err := os.Stat(s.socket); err != nil || i.Mode().Perm() != 0o600 {
		t.Fatalf("the socket: %v %v", i, err)
	}
	c := on(s.socket)
	expect := func(method, path string, status int, words ...string) {
		t.Helper()
		got, body := asked(t, c, method, "http://localhost/api/v1"+path)
		if got != status {
			t.Fatalf("%s %s: %d, want %d: %s", method, path, got, status, body)
		}
		for _, w := range words {
			if !strings.Contains(body, w) {
				t.Errorf("%s %s has no %s: %s", method, path, w, body)
			}
		}
	}
	expect("GET", "", 200, `"may":"all"`, `"user":"root"`)
	expect("GET", "/cells/web/audit", 409, "it is not running")
	expect("POST", "/cells/web/start", 200, `"ok":true`)
	expect("GET", "/cells", 200, `"name":"web","state":"running"`, `"memory_bytes":`)
	expect("GET", "/cells/web/audit", 200, `"ok":true`)
	expect("GET", "/cells/web/explain", 200, `"socket:console"`)
	expect("GET", "/cells/web/log", 200, "hello from a guest")
	expect("GET", "/cells/web/file", 200, `"writable":true`)
	expect("POST", "/cells/web/pause", 200)
	expect("GET", "/cells", 200, `"suspended":"skep pause"`)
	expect("POST", "/cells/web/resume", 200)
	expect("POST", "/cells/nosuch/start", 400, "cannot find the cell nosuch")

	// The page is nobody in an empty room.
	page := s.child(t)
	lookAtPage(t, page)

	// One that dies is replaced, and the guest does not notice.
	if err := syscall.Kill(page, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, limit, "the page is back", func() bool {
		resp, err := c.Get("http://localhost/api/v1/cells")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return strings.Contains(string(b), `"state":"running"`)
	})
	expect("POST", "/cells/web/stop", 200)
	expect("GET", "/cells", 200, `"name":"web","state":"stopped"`)
	expect("GET", "/cells/web/log", 200, "power button: power off")

	// Somebody else who can connect sees nothing.
	for _, path := range []string{s.socket, filepath.Dir(s.socket), l.dir} {
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	other := ofAnother(s.socket)
	out, err := other.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "403 Forbidden") || strings.Contains(string(out), "web") {
		t.Errorf("another user gets %v %s", err, out)
	}
	for _, path := range []string{filepath.Dir(s.socket), l.dir} {
		_ = os.Chmod(path, 0o700)
	}
}

// TestServeWays: an address that others can reach takes TLS and certificates of people, and systemd may open the
// sockets.
func TestServeWays(t *testing.T) {
	l := servingLab(t)
	if r := l.skep("serve", "--listen", "0.0.0.0:0"); r.code != 2 || !strings.Contains(r.err, "TLS only") {
		t.Errorf("without TLS: %s", r)
	}
	if r := l.skep("serve", "--tls-cert", "/dev/null"); r.code != 2 {
		t.Errorf("half of what TLS takes: %s", r)
	}
	ca := newCA(t, l.path("pki"))
	s := l.serve(2, "--listen", "0.0.0.0:0", "--tls-cert", ca.file("server.pem"), "--tls-key", ca.file("server.key"), "--client-ca", ca.file("ca.pem"))
	_, port, _ := net.SplitHostPort(strings.Trim(strings.TrimPrefix(s.lines[0], "https://"), "/"))
	url := "https://127.0.0.1:" + port + "/api/v1"
	client := func(name string) *http.Client {
		c := &tls.Config{RootCAs: ca.pool}
		if name != "" {
			c.Certificates = []tls.Certificate{ca.issue(t, name, false)}
		}
		return &http.Client{Timeout: limit, Transport: &http.Transport{TLSClientConfig: c}}
	}
	if got, body := asked(t, client("root"), "GET", url); got != 200 || !strings.Contains(body, `"may":"all"`) {
		t.Errorf("root's certificate: %d %s", got, body)
	}
	for _, name := range []string{"nobody", "no-such-user"} {
		if got, body := asked(t, client(name), "GET", url); got != 403 {
			t.Errorf("%s's certificate: %d %s", name, got, body)
		}
	}
	if resp, err := client("").Get(url); err == nil {
		t.Errorf("without a certificate: %s", resp.Status)
	}
	if resp, err := http.Get("http://127.0.0.1:" + port + "/api/v1"); err == nil && resp.StatusCode != 400 {
		t.Errorf("without TLS: %s", resp.Status)
	}

	// The socket of a unit: as number 3, for the process that it names.
	other := newLab(t)
	path := other.path("activated.sock")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	file, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", "LISTEN_FDS=1 LISTEN_PID=$$ exec "+skep+" serve")
	cmd.ExtraFiles = []*os.File{file}
	other.serveBy(cmd, 1)
	listener.Close()
	file.Close()
	if got, body := asked(t, on(path), "GET", "http://localhost/api/v1"); got != 200 {
		t.Errorf("the activated socket: %d %s", got, body)
	}
}

// authority signs certificates.
type authority struct {
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newCA(t *testing.T, dir string) *authority {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ca := &authority{dir: dir, pool: x509.NewCertPool()}
	var err error
	if ca.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &ca.key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	ca.pool.AddCert(ca.cert)
	ca.write(t, "ca.pem", "CERTIFICATE", der)
	pair := ca.issue(t, "server", true)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	ca.write(t, "server.pem", "CERTIFICATE", pair.Certificate[0])
	ca.write(t, "server.key", "PRIVATE KEY", key)
	return ca
}

func (ca *authority) file(name string) string { return filepath.Join(ca.dir, name) }

func (ca *authority) write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(ca.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (ca *authority) issue(t *testing.T, name string, server bool) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if server {
		template.ExtKeyUsage, template.IPAddresses = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
