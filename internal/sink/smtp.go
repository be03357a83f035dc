package sink

import (
	"bufio"
	"fmt"
	"io"
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
func (s *sink) mail(f *flow) {
	in := bufio.NewReaderSize(f, mostLine)
	say := func(line string) bool {
		_ = f.SetWriteDeadline(time.Now().Add(idle))
		_, err := io.WriteString(f, line+"\r\n")
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
		text, err := readLine(f, in)
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
			ok = say("250-"+host) && say("250-8BITMIME") && say("250-AUTH PLAIN LOGIN") && say(fmt.Sprintf("250 SIZE %d", mostMail))
		case "HELO", "NOOP", "RSET", "VRFY":
			ok = say("250 " + host)
		case "AUTH":
			ok = s.auth(f, in, say, rest)
		case "MAIL":
			line.From = address(rest)
			ok = say("250 2.1.0 ok")
		case "RCPT":
			if len(line.To) < mostRecipients {
				line.To = append(line.To, address(rest))
			}
			ok = say("250 2.1.5 ok")
		case "DATA":
			ok = say("354 go ahead") && s.letter(f, in, &line) && say("250 2.0.0 queued")
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
func (s *sink) auth(f *flow, in *bufio.Reader, say func(string) bool, rest string) bool {
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
		text, err := readLine(f, in)
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
func (s *sink) letter(f *flow, in *bufio.Reader, line *netlog.Line) bool {
	var first []byte
	for {
		text, err := readLine(f, in)
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
func readLine(f *flow, in *bufio.Reader) (string, error) {
	_ = f.SetReadDeadline(time.Now().Add(idle))
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
