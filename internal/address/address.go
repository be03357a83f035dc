// Package address reads and writes addresses as text, without the package net: a cell and its plan are
// pure, and net comes with sockets and name lookups.
package address

import (
	"encoding/hex"
	"errors"
	"strings"
)

// ErrForm is text that is no address of the kind asked for.
var ErrForm = errors.New("not of the form of an address")

// SplitPort splits "host:port" or "[host]:port".
func SplitPort(s string) (host, port string, err error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", "", ErrForm
	}
	host, port = s[:i], s[i+1:]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); !ok {
			return "", "", ErrForm
		}
		host = inner
	} else if strings.Contains(host, ":") {
		return "", "", ErrForm // an IPv6 address without brackets: which colon is the port's?
	}
	if strings.ContainsAny(host, "[]") || strings.ContainsAny(port, "[]") {
		return "", "", ErrForm
	}
	return host, port, nil
}

// JoinPort is the opposite of SplitPort.
func JoinPort(host, port string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]:" + port
	}
	return host + ":" + port
}

// MAC is the address of a network card.
type MAC [6]byte

// ParseMAC reads six bytes with colons or hyphens between them, or as Cisco writes them.
func ParseMAC(s string) (m MAC, err error) {
	var digits string
	switch {
	case len(s) == 17 && (s[2] == ':' || s[2] == '-'):
		parts := strings.Split(s, s[2:3])
		if len(parts) != 6 {
			return m, ErrForm
		}
		digits = strings.Join(parts, "")
	case len(s) == 14 && s[4] == '.' && s[9] == '.':
		digits = s[:4] + s[5:9] + s[10:]
	case len(s) == 12:
		digits = s
	}
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(m) {
		return m, ErrForm
	}
	return MAC(b), nil
}

func (m MAC) String() string {
	var parts []string
	for _, b := range m {
		parts = append(parts, hex.EncodeToString([]byte{b}))
	}
	return strings.Join(parts, ":")
}
