package seed

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"skep/internal/iso"
)

func read(t *testing.T, files []iso.File) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, f := range files {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Path] = string(b)
	}
	return all
}

// Without a word of its own, a seed is one that cloud-init accepts and that asks for nothing.
func TestEmpty(t *testing.T) {
	files := read(t, Seed{Name: "lab_1"}.Files())
	if len(files) != 2 || files[UserData] != nothingToDo {
		t.Errorf("%q", files)
	}
	var meta struct {
		Instance string `json:"instance-id"`
		Host     string `json:"local-hostname"`
	}
	if err := json.Unmarshal([]byte(files[MetaData]), &meta); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(meta.Instance, "lab_1-") || meta.Host != "lab-1" {
		t.Errorf("%+v", meta)
	}
}

// The instance is another one when the seed says something else, and the same when it does not.
func TestInstance(t *testing.T) {
	id := func(s Seed) string {
		_, rest, _ := strings.Cut(read(t, s.Files())[MetaData], `"instance-id": "`)
		id, _, _ := strings.Cut(rest, `"`)
		return id
	}
	base := Seed{Name: "a", UserData: []byte("x"), Network: []byte("n"), Hostname: "h", SSHKeys: []string{"k"}}
	if first := id(base); first == "" || first != id(base) {
		t.Fatal("the same seed is another instance")
	}
	for what, other := range map[string]Seed{
		"name":  {Name: "b", UserData: []byte("x"), Network: []byte("n"), Hostname: "h", SSHKeys: []string{"k"}},
		"user":  {Name: "a", UserData: []byte("xn"), Hostname: "h", SSHKeys: []string{"k"}},
		"net":   {Name: "a", UserData: []byte("x"), Network: []byte("m"), Hostname: "h", SSHKeys: []string{"k"}},
		"host":  {Name: "a", UserData: []byte("x"), Network: []byte("n"), Hostname: "i", SSHKeys: []string{"k"}},
		"keys":  {Name: "a", UserData: []byte("x"), Network: []byte("n"), Hostname: "h", SSHKeys: []string{"k", "l"}},
		"split": {Name: "a", UserData: []byte("x"), Network: []byte("n"), Hostname: "hk"},
	} {
		if id(other) == id(base) {
			t.Errorf("with another %s it is the same instance", what)
		}
	}
	own := Seed{Name: "a", MetaData: []byte("instance-id: mine\n")}
	if got := read(t, own.Files())[MetaData]; got != "instance-id: mine\n" {
		t.Errorf("%q", got)
	}
}

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "it is empty",
		"a\nb\x00":                         "line 2 has a zero byte",
		"\xff\xfe":                         "it is neither UTF-8 nor compressed",
		strings.Repeat("x", MaxDocument+1): "more than",
		"#cloud-config\n":                  "",
		"\x1f\x8b\x08\x00":                 "",
	} {
		if err := Check([]byte(text)); (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

// The cloud-init of this host reads all of it.
func TestCloudInit(t *testing.T) {
	if out, err := exec.Command("python3", "-c", "import cloudinit").CombinedOutput(); err != nil {
		t.Skipf("cloud-init is not installed: %.100s", out)
	}
	s := Seed{
		Name: "web", Hostname: "web-1", UserData: []byte("#cloud-config\npackages: [nginx]\n"),
		SSHKeys: []string{"ssh-ed25519 AAAA \"quoted\": me"}, Network: []byte("version: 2\nethernets: {eth0: {dhcp4: true}}\n"),
	}
	dir := t.TempDir()
	for name, text := range read(t, s.Files()) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("python3", "testdata/nocloud.py", dir, "cidata")
	cmd.Stderr = &strings.Builder{}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, cmd.Stderr)
	}
	var got struct {
		Instance, Host, User string
		Keys                 []string
		Network              struct{ Version int }
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.HasPrefix(got.Instance, "web-") || got.Host != "web-1" || got.User != string(s.UserData) ||
		len(got.Keys) != 1 || got.Keys[0] != s.SSHKeys[0] || got.Network.Version != 2 {
		t.Errorf("cloud-init understands %s", out)
	}
}
