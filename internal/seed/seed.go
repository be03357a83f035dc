// Package seed makes what cloud-init finds on a guest's seed disk: the files of its data source NoCloud. It
// reads no file and knows no host.
package seed

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"skep/internal/iso"
)

// A Seed is the documents of a seed, read already.
type Seed struct {
	Name     string // the cell's
	UserData []byte
	MetaData []byte // in place of what is made of Hostname and SSHKeys, and of the instance's id
	Network  []byte
	Vendor   []byte // what comes beside UserData, and gives way to it
	Hostname string
	SSHKeys  []string
}

// The names that cloud-init looks for. A seed without the first two is none.
const (
	UserData = "user-data"
	MetaData = "meta-data"
	Network  = "network-config"
	Vendor   = "vendor-data"
)

// MaxDocument bounds a document. cloud-init reads each as a whole.
const MaxDocument = 4 << 20

// nothingToDo is a user-data that asks for nothing.
const nothingToDo = "#cloud-config\n{}\n"

// Files are the files of the seed disk.
func (s Seed) Files() []iso.File {
	user, meta := s.UserData, s.MetaData
	if len(user) == 0 {
		user = []byte(nothingToDo)
	}
	if len(meta) == 0 {
		meta = s.metaData(user)
	}
	files := []iso.File{iso.Bytes(MetaData, meta), iso.Bytes(UserData, user)}
	if len(s.Network) > 0 {
		files = append(files, iso.Bytes(Network, s.Network))
	}
	if len(s.Vendor) > 0 {
		files = append(files, iso.Bytes(Vendor, s.Vendor))
	}
	return files
}

// Trust is a document that has the guest trust a certificate.
func Trust(certificate []byte) []byte {
	text, err := json.Marshal(map[string]any{"ca_certs": map[string]any{"trusted": []string{string(certificate)}}})
	if err != nil {
		panic(err) // one text
	}
	return append([]byte("#cloud-config\n"), append(text, '\n')...)
}

// metaData says which instance this is. What cloud-init does once for each instance it does again when that
// changes, so it follows from all that the seed says. JSON is YAML, and has no rules of quoting to get wrong.
func (s Seed) metaData(user []byte) []byte {
	host := s.Hostname
	if host == "" {
		host = strings.NewReplacer("_", "-", "@", "-").Replace(strings.Trim(s.Name, "_-"))
	}
	meta := struct {
		Instance string   `json:"instance-id"`
		Host     string   `json:"local-hostname"`
		Keys     []string `json:"public-keys,omitempty"`
	}{Host: host, Keys: s.SSHKeys}
	sum := sha256.New()
	for _, part := range [][]byte{user, s.Vendor, s.Network, []byte(host), []byte(strings.Join(s.SSHKeys, "\n"))} {
		fmt.Fprintf(sum, "%d\n", len(part))
		sum.Write(part)
	}
	meta.Instance = s.Name + "-" + hex.EncodeToString(sum.Sum(nil))[:12]
	text, err := json.MarshalIndent(meta, "", "  ")
	if err != nil {
		panic(err) // three texts
	}
	return append(text, '\n')
}

// Check says why a document cannot be one.
func Check(b []byte) error {
	switch {
	case len(b) > MaxDocument:
		return fmt.Errorf("it has more than %d bytes", MaxDocument)
	case len(b) == 0:
		return fmt.Errorf("it is empty")
	case !utf8.Valid(b) && !compressed(b):
		return fmt.Errorf("it is neither UTF-8 nor compressed with gzip")
	}
	if i := strings.IndexByte(string(b), 0); i >= 0 && !compressed(b) {
		return fmt.Errorf("line %d has a zero byte", 1+strings.Count(string(b[:i]), "\n"))
	}
	return nil
}

// compressed: cloud-init takes user-data as gzip makes it.
func compressed(b []byte) bool { return len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b }
