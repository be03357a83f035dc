package screen

import (
	"bytes"
	"crypto/des"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// The security types of RFC 6143.
const (
	securityNone = 1
	securityVNC  = 2
)

// ErrPassword: the screen asks for a password, and this was not it.
var ErrPassword = errors.New("the screen asks for a password")

// security picks a security type and goes through with it.
func (c *client) security(version int, password string) error {
	kind, err := c.securityType(version, password != "")
	if err != nil {
		return err
	}
	if kind == securityVNC {
		if password == "" {
			return ErrPassword
		}
		if err := c.answer(password); err != nil {
			return err
		}
	}
	// Before 3.8 there is no result for type None.
	if kind == securityNone && version < 8 {
		return nil
	}
	var result [4]byte
	if _, err := io.ReadFull(c.r, result[:]); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(result[:]) == 0 {
		return nil
	}
	if kind == securityVNC {
		return fmt.Errorf("%w: the one given is wrong", ErrPassword)
	}
	if version < 8 {
		return errors.New("the screen refused the viewer")
	}
	return c.refusal()
}

// securityType: in 3.3 the server decides, later it offers and we choose.
func (c *client) securityType(version int, havePassword bool) (byte, error) {
	if version == 3 {
		var kind [4]byte
		if _, err := io.ReadFull(c.r, kind[:]); err != nil {
			return 0, err
		}
		switch n := binary.BigEndian.Uint32(kind[:]); n {
		case 0:
			return 0, c.refusal()
		case securityNone, securityVNC:
			return byte(n), nil
		default:
			return 0, fmt.Errorf("the screen wants security type %d, which is not known here", n)
		}
	}
	n, err := c.r.ReadByte()
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, c.refusal()
	}
	offers := make([]byte, n)
	if _, err := io.ReadFull(c.r, offers); err != nil {
		return 0, err
	}
	none, vnc := bytes.IndexByte(offers, securityNone) >= 0, bytes.IndexByte(offers, securityVNC) >= 0
	kind := byte(securityNone)
	switch {
	case vnc && (havePassword || !none):
		kind = securityVNC
	case !none:
		return 0, fmt.Errorf("the screen offers security types %d, none of which is known here", offers)
	}
	_, err = c.w.Write([]byte{kind})
	return kind, err
}

// answer proves that we know the password: the challenge, encrypted with it.
func (c *client) answer(password string) error {
	var challenge [2 * des.BlockSize]byte
	if _, err := io.ReadFull(c.r, challenge[:]); err != nil {
		return err
	}
	// VNC's DES takes each byte of the key with its bits in reverse, and no more
	// than eight of them. It keeps out nobody who can listen in.
	var key [8]byte
	copy(key[:], password)
	for i, b := range key {
		key[i] = bits.Reverse8(b)
	}
	block, err := des.NewCipher(key[:])
	if err != nil {
		return err
	}
	for i := 0; i < len(challenge); i += des.BlockSize {
		block.Encrypt(challenge[i:], challenge[i:])
	}
	_, err = c.w.Write(challenge[:])
	return err
}
