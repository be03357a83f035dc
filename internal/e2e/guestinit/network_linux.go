package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const answerWait = 10 * time.Second

// lease has the first network card an address from whoever gives one, with a route and a name server.
func lease() error {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}
	if lo, err := netlink.LinkByName("lo"); err == nil {
		_ = netlink.LinkSetUp(lo)
	}
	offer, err := ask4(link, nil)
	if err != nil {
		return err
	}
	ack, err := ask4(link, offer)
	if err != nil {
		return err
	}
	ones, _ := ack.SubnetMask().Size()
	addr, err := netlink.ParseAddr(fmt.Sprintf("%s/%d", ack.YourIPAddr, ones))
	if err != nil {
		return err
	}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return err
	}
	for _, gw := range ack.Router() {
		if err := netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: gw}); err != nil {
			return err
		}
	}
	if err := os.MkdirAll("/etc", 0o755); err != nil {
		return err
	}
	conf := ""
	for _, s := range ack.DNS() {
		conf += "nameserver " + s.String() + "\n"
	}
	if err := os.WriteFile("/etc/resolv.conf", []byte(conf), 0o644); err != nil {
		return err
	}
	say("address %s", addr.IPNet)
	return nil
}

// address has the first network card an address that is said: "address 10.0.0.1/24".
func address(text string) error {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(text)
	if err == nil {
		err = netlink.LinkSetUp(link)
	}
	if err == nil {
		err = netlink.AddrReplace(link, addr)
	}
	if err == nil {
		say("address %s", addr.IPNet)
	}
	return err
}

// listen answers whoever connects to a port with what it was sent, for as long as the guest runs.
func listen(port string) error {
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				line, _ := bufio.NewReader(c).ReadString('\n')
				fmt.Fprintf(c, "heard %s", line)
			}()
		}
	}()
	say("listens on %s", port)
	return nil
}

// ask4 sends one question of DHCP, twice should the first be lost, and waits for its answer.
func ask4(link netlink.Link, offer *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, error) {
	conf := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var inner error
		err := c.Control(func(fd uintptr) {
			inner = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
				unix.BindToDevice(int(fd), link.Attrs().Name))
		})
		return errors.Join(err, inner)
	}}
	conn, err := conf.ListenPacket(context.Background(), "udp4", "0.0.0.0:68")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var q *dhcpv4.DHCPv4
	if offer == nil {
		q, err = dhcpv4.NewDiscovery(link.Attrs().HardwareAddr)
	} else {
		q, err = dhcpv4.NewRequestFromOffer(offer)
	}
	if err != nil {
		return nil, err
	}
	for range 2 {
		if _, err := conn.WriteTo(q.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 67}); err != nil {
			return nil, err
		}
		_ = conn.SetReadDeadline(time.Now().Add(answerWait))
		b := make([]byte, 1500)
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			continue
		}
		if a, err := dhcpv4.FromBytes(b[:n]); err == nil && a.TransactionID == q.TransactionID {
			return a, nil
		}
	}
	return nil, errors.New("nobody answers")
}

// lookup asks for the addresses of a name.
func lookup(name string) error {
	all, err := net.LookupHost(name)
	if err == nil {
		say("%s is %s", name, strings.Join(all, " "))
	}
	return err
}

// fetch asks a web server for a page: "fetch http HOST[:PORT] /PATH", https with the certificate in /ca.pem or any.
func fetch(rest string) error {
	f := strings.Fields(rest)
	if len(f) != 3 {
		return errors.New("fetch http|https HOST PATH")
	}
	host, port, err := net.SplitHostPort(f[1])
	if err != nil {
		host, port = f[1], map[string]string{"http": "80", "https": "443"}[f[0]]
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), answerWait)
	if err != nil {
		return err
	}
	defer conn.Close()
	if f[0] == "https" {
		c := &tls.Config{ServerName: host, InsecureSkipVerify: true}
		if pem, err := os.ReadFile("/ca.pem"); err == nil {
			c.RootCAs, c.InsecureSkipVerify = x509.NewCertPool(), false
			c.RootCAs.AppendCertsFromPEM(pem)
		}
		conn = tls.Client(conn, c)
	}
	_ = conn.SetDeadline(time.Now().Add(answerWait))
	fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: guestinit\r\n\r\n", f[2], host)
	b, err := io.ReadAll(io.LimitReader(conn, 64<<10))
	if err != nil {
		return err
	}
	head, body, _ := strings.Cut(string(b), "\r\n\r\n")
	status, _, _ := strings.Cut(head, "\r\n")
	say("fetched %q %q", status, body)
	return nil
}

// knock sends a line to a port and says what comes: "knock HOST:PORT TEXT".
func knock(rest string) error {
	to, text, _ := strings.Cut(rest, " ")
	conn, err := net.DialTimeout("tcp", to, answerWait)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	fmt.Fprintf(conn, "%s\n", text)
	answer, _ := bufio.NewReader(conn).ReadString('\n')
	say("knocked, %q", answer)
	return nil
}

// mail sends one: "mail HOST FROM TO TEXT".
func mail(rest string) error {
	f := strings.SplitN(rest, " ", 4)
	if len(f) != 4 {
		return errors.New("mail HOST FROM TO TEXT")
	}
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(f[0], "25"), answerWait)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(answerWait))
	in := bufio.NewReader(conn)
	for _, line := range []string{"", "HELO guest", "MAIL FROM:<" + f[1] + ">", "RCPT TO:<" + f[2] + ">", "DATA", "Subject: x\r\n\r\n" + f[3] + "\r\n.", "QUIT"} {
		if line != "" {
			fmt.Fprintf(conn, "%s\r\n", line)
		}
		answer, err := in.ReadString('\n')
		if err != nil || answer[0] != '2' && answer[0] != '3' {
			return fmt.Errorf("%q: %v", answer, err)
		}
	}
	say("mailed")
	return nil
}
