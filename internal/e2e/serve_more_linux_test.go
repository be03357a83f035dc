package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestServeSnapshots: a snapshot is taken, listed, gone back to and removed over the API of the page.
func TestServeSnapshots(t *testing.T) {
	l := servingLab(t)
	disk := l.write("disk.img", strings.Repeat("one ", 1<<18))
	l.cell("web", emulated+"\ndisk \"d\" { file = \""+disk+"\" }")
	s := l.serve(1)
	expect := func(method, path, body string, status int, words ...string) {
		t.Helper()
		r, err := http.NewRequest(method, "http://localhost/api/v1/cells/web"+path, strings.NewReader(body))
		l.try(err)
		resp, err := on(s.socket).Do(r)
		l.try(err)
		defer resp.Body.Close()
		var got bytes.Buffer
		if _, err := got.ReadFrom(resp.Body); err != nil || resp.StatusCode != status {
			t.Fatalf("%s %s: %d, want %d: %v %s", method, path, resp.StatusCode, status, err, got.String())
		}
		for _, w := range words {
			if !strings.Contains(got.String(), w) {
				t.Errorf("%s %s has no %s: %s", method, path, w, got.String())
			}
		}
	}
	begins := func(word string) {
		t.Helper()
		b, err := os.ReadFile(disk)
		if err != nil || !bytes.HasPrefix(b, []byte(word)) {
			t.Errorf("the disk begins with %.8q, not with %q: %v", b, word, err)
		}
	}
	expect("POST", "/snapshots", `{"tag":"clean"}`, 200, `"ok":true`)
	expect("POST", "/snapshots", `{"tag":"clean"}`, 400)
	expect("POST", "/snapshots", `{"tag":"../x"}`, 400)
	expect("GET", "/snapshots", "", 200, `"clean"`)
	l.write("disk.img", strings.Repeat("two ", 1<<18))
	expect("POST", "/snapshots/nosuch/revert", "", 400)
	begins("two ")
	expect("POST", "/snapshots/clean/revert", "", 200)
	begins("one ")
	expect("DELETE", "/snapshots/clean", "", 200)
	expect("POST", "/snapshots/clean/revert", "", 400)
}

// TestPrometheus: Debian's Prometheus reads the metrics with a token, has the cells by state, and takes the rules.
func TestPrometheus(t *testing.T) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no prometheus here: it is in Debian's package prometheus")
	}
	l := servingLab(t)
	token := l.write("token", "a long secret for the scrape\n")
	l.cell("web", emulated)
	s := l.serve(2, "--listen", "127.0.0.1:0", "--metrics-token", token)
	at, _, _ := strings.Cut(strings.TrimPrefix(s.lines[0], "http://"), "/")
	l.must(0, "up", "web")
	rules, err := filepath.Abs("../../docs/prometheus/skep.rules.yml")
	l.try(err)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	l.try(err)
	its := free.Addr().String()
	free.Close()
	config := l.write("prometheus.yml", fmt.Sprintf(`global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
scrape_configs:
  - job_name: skep
    scrape_interval: 5s
    scrape_timeout: 5s
    authorization: { credentials_file: %s }
    static_configs: [{ targets: [%q] }]
rule_files: [%s]
`, token, at, rules))
	var said bytes.Buffer
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+l.path("tsdb"), "--web.listen-address="+its)
	cmd.Stdout, cmd.Stderr = &said, &said
	l.try(cmd.Start())
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus said:\n%s", said.String())
		}
	}()
	get := func(path string, into any) error {
		resp, err := http.Get("http://" + its + "/api/v1" + path)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return json.NewDecoder(resp.Body).Decode(into)
	}
	value := func(query string) string {
		var got struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		if get("/query?query="+query, &got) != nil || len(got.Data.Result) != 1 {
			return ""
		}
		return fmt.Sprint(got.Data.Result[0].Value[1])
	}
	eventually(t, limit, "it has the running cell", func() bool { return value(`skep_cells{state="running"}`) == "1" })
	eventually(t, limit, "it has the audit's verdict", func() bool { return value(`skep_audit_passed{cell="web"}`) == "1" })
	if up := value(`up{job="skep"}`); up != "1" {
		t.Errorf("the target is up: %q", up)
	}
	var all struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, State, LastError string }
			}
		}
	}
	eventually(t, limit, "the rules were looked at", func() bool {
		if get("/rules", &all) != nil || len(all.Data.Groups) == 0 {
			return false
		}
		for _, g := range all.Data.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" {
					return false
				}
				if r.Name == "SkepAuditFailed" && r.State != "inactive" {
					t.Errorf("%s is %s", r.Name, r.State)
				}
			}
		}
		return true
	})
	l.must(0, "kill", "web")
	eventually(t, limit, "it has that nothing runs", func() bool { return value(`skep_cells{state="running"}`) == "0" })
}
