package evidence

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"skep/internal/events"
)

// journal is a chain of so many lines; one speaks of a file.
func journal(t *testing.T, plan []byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "e")
	j, err := events.OpenJournal(path, path+".1", "lab", "r", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []events.Event{{Kind: events.Begin}, {Kind: events.File, File: "plan.json", SHA256: events.Sum(plan)}, {Kind: events.End}} {
		if err := j.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sample is an archive.
func sample(t *testing.T, sign func([]byte) ([]byte, error)) []byte {
	t.Helper()
	plan := []byte(`{"plan":1}`)
	lines := journal(t, plan)
	last, n, err := events.Verify(bytes.NewReader(lines), "")
	if err != nil {
		t.Fatal(err)
	}
	items := []Item{Bytes(JournalName, lines), Bytes("console.log", []byte("hello\r\n")), Bytes("plan.json", plan), Bytes("shots/0001.png", make([]byte, 700))}
	m := Manifest{Version: Version, Cell: "lab", Run: "r", Made: time.Unix(1e9, 0).UTC(), Journal: Chain{Last: last, Lines: n}}
	if m.Files, err = Sum(items, 1<<20); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Write(&b, m, items, sign); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func verify(t *testing.T, b []byte) Finding {
	t.Helper()
	f, err := Verify(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Not one byte of an archive can be changed, wherever it is, and none can be added or taken away.
func TestVerifyFindsEachByte(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	sign, err := Signer(pem.EncodeToMemory(block))
	if err != nil {
		t.Fatal(err)
	}
	b := sample(t, sign)
	if f := verify(t, b); len(f.Problems) > 0 || !strings.HasPrefix(f.Key, "ssh-ed25519 ") || f.Manifest.Cell != "lab" {
		t.Fatalf("%+v", f)
	}
	for i := range b {
		changed := bytes.Clone(b)
		changed[i] ^= 1 << (i % 8)
		if f, err := Verify(bytes.NewReader(changed), int64(len(b))); err == nil && len(f.Problems) == 0 {
			t.Fatalf("byte %d of %d is changed, and nothing is found", i, len(b))
		}
	}
	for _, n := range []int{0, 511, 512, 1024, len(b) / 2, len(b) - 1, len(b) - 512} {
		if f, err := Verify(bytes.NewReader(b[:n]), int64(n)); err == nil && len(f.Problems) == 0 {
			t.Errorf("it ends after %d bytes, and nothing is found", n)
		}
	}
	if f := verify(t, append(bytes.Clone(b), make([]byte, 512)...)); len(f.Problems) == 0 {
		t.Error("there is more, and nothing is found")
	}
}

// What was changed is named.
func TestVerifyNames(t *testing.T) {
	b := sample(t, nil)
	for _, tt := range []struct{ old, new, want string }{
		{"hello\r\n", "hallo\r\n", `"console.log" was changed`},
		{`{"plan":1}`, `{"plan":2}`, `"plan.json" was changed`},
		{`"kind":"end"`, `"kind":"eNd"`, "journal.jsonl was changed: its end"},
		{`"kind":"begin"`, `"kind":"bEgin"`, "journal.jsonl was changed: line 1"},
		{`"cell": "lab"`, `"cell": "lob"`, "manifest.json or SHA256SUMS was changed"},
	} {
		f := verify(t, bytes.Replace(b, []byte(tt.old), []byte(tt.new), 1))
		if all := strings.Join(f.Problems, "\n"); !strings.Contains(all, tt.want) {
			t.Errorf("%s: %s", tt.new, all)
		}
	}
	// Somebody who makes all sums anew is found by what the journal says of the plan.
	lines := journal(t, []byte("another plan"))
	last, n, _ := events.Verify(bytes.NewReader(lines), "")
	items := []Item{Bytes(JournalName, lines), Bytes("plan.json", []byte("this plan"))}
	m := Manifest{Version: Version, Journal: Chain{Last: last, Lines: n}}
	m.Files, _ = Sum(items, 1<<20)
	var out bytes.Buffer
	if err := Write(&out, m, items, nil); err != nil {
		t.Fatal(err)
	}
	if f := verify(t, out.Bytes()); len(f.Problems) != 1 || !strings.Contains(f.Problems[0], "is not the file that the journal speaks of") {
		t.Errorf("%q", f.Problems)
	}
}

// ssh-keygen(1) accepts the signature, of each kind of key that it makes.
func TestSignature(t *testing.T) {
	keygen, err := exec.LookPath("ssh-keygen")
	if err != nil {
		t.Skip("no ssh-keygen here: apt install openssh-client")
	}
	for _, kind := range []string{"ed25519", "rsa", "ecdsa"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "key")
		if out, err := exec.Command(keygen, "-q", "-t", kind, "-N", "", "-f", path).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		private, _ := os.ReadFile(path)
		public, _ := os.ReadFile(path + ".pub")
		sign, err := Signer(private)
		if err != nil {
			t.Fatal(err)
		}
		message := []byte("a manifest\n")
		sig, err := sign(message)
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(dir, "sig"), sig, 0o600)
		os.WriteFile(filepath.Join(dir, "allowed"), fmt.Appendf(nil, "me@lab %s", public), 0o600)
		cmd := exec.Command(keygen, "-Y", "verify", "-f", filepath.Join(dir, "allowed"), "-I", "me@lab", "-n", Namespace, "-s", filepath.Join(dir, "sig"))
		cmd.Stdin = bytes.NewReader(message)
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("Good ")) {
			t.Errorf("%s: %v: %s", kind, err, out)
		}
		if key, err := checkSignature(sig, message); err != nil || !strings.HasPrefix(string(public), key) {
			t.Errorf("%s: %q, %v", kind, key, err)
		}
		if _, err := checkSignature(sig, []byte("another")); err == nil {
			t.Errorf("%s: a signature of another manifest is taken", kind)
		}
	}
	if _, err := Signer([]byte("no key")); err == nil {
		t.Error("what is no key signs")
	}
}

// An archive over its limit is refused, and what changes while it is read as well.
func TestWriteRefuses(t *testing.T) {
	if _, err := Sum([]Item{Bytes("a", make([]byte, 10))}, 9); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	if _, err := Sum([]Item{Bytes("../a", nil)}, 9); err == nil {
		t.Error("a name that leads out is taken")
	}
	items := []Item{Bytes("a", []byte("1"))}
	m := Manifest{Version: Version}
	m.Files, _ = Sum(items, 9)
	if err := Write(&bytes.Buffer{}, m, []Item{Bytes("a", []byte("2"))}, nil); err == nil {
		t.Error("a file that has changed is taken")
	}
}

// A guest's words on the page are words.
func TestPageEscapes(t *testing.T) {
	bad := `<script>alert(1)</script>"><img src=x onerror=y>` + "\x1b[2J\u202e"
	raw, _ := json.Marshal(map[string]string{"kind": "dns", "name": bad})
	b, err := Page{Cell: "lab", Events: []events.Event{{Kind: events.Network, Network: raw}, {Kind: events.Note, Reason: bad}},
		Pictures: []Picture{{Name: "shots/0001.png"}}, Console: []byte(bad), Files: []Entry{{Name: "javascript:alert(1)"}},
		Diff: []DiffLine{{"root", "new", bad, ""}}}.HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, no := range []string{"<script", "onerror=y>", "\x1b", "\u202e", `href="javascript:`} {
		if strings.Contains(strings.ReplaceAll(string(b), "onerror=y&gt;", ""), no) {
			t.Errorf("the page has %q", no)
		}
	}
	if !strings.Contains(string(b), "&lt;script&gt;alert(1)") || !strings.Contains(string(b), `src="shots/0001.png"`) {
		t.Error("what it should show it does not")
	}
}
