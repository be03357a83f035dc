package sink

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"skep/internal/netlog"
)

// Bounds of a mail.
const (
	mostMail       = 32 << 20
	mostLine       = 4 << 10
	mostRecipients = 100
	mostCommands   = 1000
)

// mail takes mail as a server of SMTP does (RFC 5321), and delivers none.
func (s *sink) mail(f *flow, c net.Conn) {
	in := bufio.NewReaderSize(c, mostLine)
	say := func(line string) bool {
		_ = c.SetWriteDeadline(time.Now().Add(idle))
		_, err := io.WriteString(c, line+"\r\n")
		return err == nil
	}
	host := f.name
	if host == "" {
		host = f.dst.Addr().String()
	}
	if !say("220 " + host + " ESMTP") {
		return
	}
	line := s.line(f, netlog.SMTP)
	commands, mails := "", 0
	defer func() {
		if mails == 0 { // it never came to one
			line.First = netlog.First([]byte(commands))
			s.log.Write(line)
		}
	}()
	for range mostCommands {
		text, err := readLine(c, in)
		if err != nil {
			return
		}
		if len(commands) < 256 {
			commands += text + "\n"
		}
		verb, rest, _ := strings.Cut(text, " ")
		ok := true
		switch strings.ToUpper(verb) {
		case "EHLO":
			ok = say("250-"+host) && say("250-8BITMIME") && say("250-AUTH PLAIN LOGIN") && (s.ca == nil || f.secured || say("250-STARTTLS")) && say(fmt.Sprintf("250 SIZE %d", mostMail))
		case "HELO", "NOOP", "RSET", "VRFY":
			ok = say("250 " + host)
		case "STARTTLS":
			if s.ca == nil || f.secured || in.Buffered() > 0 {
				ok = say("502 5.5.1 not now")
				break
			}
			if !say("220 2.0.0 go ahead") {
				return
			}
			inner, err := s.secure(f)
			if err != nil {
				return
			}
			c, in = inner, bufio.NewReaderSize(inner, mostLine)
		case "AUTH":
			ok = s.auth(f, c, in, say, rest)
		case "MAIL":
			line.From = address(rest)
			ok = say("250 2.1.0 ok")
		case "RCPT":
			if len(line.To) < mostRecipients {
				line.To = append(line.To, address(rest))
			}
			ok = say("250 2.1.5 ok")
		case "DATA":
			ok = say("354 go ahead") && s.letter(c, in, &line) && say("250 2.0.0 queued")
			if ok {
				mails++
				line = s.line(f, netlog.SMTP)
			}
		case "QUIT":
			say("221 2.0.0 bye")
			return
		default:
			ok = say("502 5.5.2 no such command")
		}
		if !ok {
			return
		}
	}
}

// auth takes whatever name and password there are.
func (s *sink) auth(f *flow, c net.Conn, in *bufio.Reader, say func(string) bool, rest string) bool {
	kind, initial, _ := strings.Cut(rest, " ")
	questions := 1
	if strings.EqualFold(kind, "LOGIN") {
		questions = 2
	}
	if initial != "" {
		questions--
	}
	said := []string{rest}
	for i := range questions {
		if !say("334 " + []string{"VXNlcm5hbWU6", "UGFzc3dvcmQ6"}[(i+2-questions)%2]) {
			return false
		}
		text, err := readLine(c, in)
		if err != nil {
			return false
		}
		said = append(said, text)
	}
	line := s.line(f, netlog.SMTP)
	line.Type, line.First = "auth", netlog.First([]byte(strings.Join(said, " ")))
	s.log.Write(line)
	return say("235 2.7.0 ok")
}

// letter reads a mail up to the dot, and writes it down.
func (s *sink) letter(c net.Conn, in *bufio.Reader, line *netlog.Line) bool {
	var first []byte
	for {
		text, err := readLine(c, in)
		if err != nil && err != errTooLong {
			return false
		}
		if text == "." && err == nil {
			break
		}
		line.Bytes += int64(len(text)) + 2
		if line.Bytes > mostMail {
			return false
		}
		if len(first) < 1024 {
			first = append(append(first, text...), '\n')
		}
	}
	line.First = netlog.First(first)
	s.log.Write(*line)
	return true
}

// readLine is the next line without its end. Of one that is too long the rest is the next.
func readLine(c net.Conn, in *bufio.Reader) (string, error) {
	_ = c.SetReadDeadline(time.Now().Add(idle))
	b, err := in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return string(b), errTooLong
	}
	return strings.TrimRight(string(b), "\r\n"), err
}

// address is that of MAIL FROM:<…> and RCPT TO:<…>.
func address(rest string) string {
	_, a, _ := strings.Cut(rest, ":")
	a = strings.TrimSpace(a)
	if inside, ok := strings.CutPrefix(a, "<"); ok {
		a, _, _ = strings.Cut(inside, ">")
	}
	return a
}
