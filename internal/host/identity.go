package host

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// IdentityOf is a digest of what a host is known by. machine-id(5) asks not to
// tell the number itself to anybody, nor to a network. Numbers that every image
// of a kind has are none.
func IdentityOf(number string) string {
	number = strings.ToLower(strings.TrimSpace(number))
	if len(strings.Trim(number, "0-")) < 8 || number == "uninitialized" {
		return ""
	}
	m := hmac.New(sha256.New, []byte(number))
	m.Write([]byte("skep host"))
	return hex.EncodeToString(m.Sum(nil)[:16])
}
