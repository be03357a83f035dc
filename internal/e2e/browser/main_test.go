package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var update = flag.Bool("update", false, "write the pictures of the README anew")

// patience bounds each wait: machines that test are slow.
const patience = 90 * time.Second

var skep string // the program under test

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "skep-browser-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if err := os.Chmod(dir, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if skep = os.Getenv("SKEP_TEST_PROGRAM"); skep == "" {
			skep = filepath.Join(dir, "skep")
			cmd := exec.Command("go", "build", "-o", skep, "skep/cmd/skep")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
				return 1
			}
		}
		return m.Run()
	}())
}

// host is a host's worth of directories with skep serve.
type host struct {
	t      *testing.T
	dir    string
	env    []string
	links  []string // who may do all, who may only look, the user nobody
	socket string
}

func newHost(t *testing.T) *host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for cells and for Chromium as root")
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("no chromium here")
	}
	dir, err := os.MkdirTemp("", "skep-page-")
	if err == nil {
		err = os.Chmod(dir, 0o711) // as /run is for others; what is in it stays closed
	}
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, dir: dir, socket: filepath.Join(dir, "run", "serve.sock"), env: append(os.Environ(), "SKEP_CONFIG_DIR="+dir+"/config",
		"SKEP_STATE_DIR="+dir+"/state", "SKEP_RUN_DIR="+dir+"/run", fmt.Sprint("SKEP_UID_BASE=", 2_090_000_000+os.Getpid()%4000*500), "SKEP_UID_COUNT=200")}
	t.Cleanup(func() {
		h.skep("down", "--all", "--force")
		os.RemoveAll(dir)
	})
	return h
}

// skep runs a command.
func (h *host) skep(args ...string) (string, error) {
	cmd := exec.Command(skep, args...)
	cmd.Env = h.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (h *host) must(args ...string) string {
	h.t.Helper()
	out, err := h.skep(args...)
	if err != nil {
		h.t.Fatalf("skep %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (h *host) file(name, text string) {
	h.t.Helper()
	dir := filepath.Join(h.dir, "config", "cells")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name+".hcl"), []byte(text), 0o644)); err != nil {
		h.t.Fatal(err)
	}
}

// serve starts skep serve.
func (h *host) serve() {
	h.t.Helper()
	cmd := exec.Command(skep, "serve", "--listen", "127.0.0.1:0", "--read-only", "--as", "nobody")
	cmd.Env = h.env
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			h.t.Errorf("skep serve: %v\n%s", err, said.String())
		}
		if h.t.Failed() {
			h.t.Logf("skep serve said:\n%s", said.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, link, ok := strings.Cut(lines.Text(), "http://"); ok {
			h.links = append(h.links, "http://"+link)
		}
		if strings.HasPrefix(lines.Text(), "socket:") {
			break
		}
	}
	if len(h.links) != 3 {
		h.t.Fatalf("skep serve printed %q and said %s", h.links, said.String())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
}

// get asks the API on the socket, as curl would.
func (h *host) get(path string) []byte {
	h.t.Helper()
	c := http.Client{Timeout: patience, Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", h.socket)
	}}}
	resp, err := c.Get("http://localhost" + path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		h.t.Fatalf("%s: %s %v\n%s", path, resp.Status, err, b)
	}
	return b
}

// cell is one cell as the API tells it.
type cell struct {
	Name, State string
	PID         int
}

func (h *host) cell(name string) cell {
	h.t.Helper()
	var all struct{ Cells []cell }
	if err := json.Unmarshal(h.get("/api/v1/cells"), &all); err != nil {
		h.t.Fatal(err)
	}
	for _, c := range all.Cells {
		if c.Name == name {
			return c
		}
	}
	h.t.Fatalf("there is no cell %s", name)
	return cell{}
}

// until waits for something that is to become true.
func (h *host) until(what string, f func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !f(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("waiting for %s took longer than %s", what, patience)
		}
	}
}

// tab is a browser with the page.
type tab struct {
	*testing.T
	ctx context.Context
}

// open starts a browser and has it open a link. What the page complains of fails the test.
func (h *host) open(link string, width, height int64) tab {
	h.t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.Flag("no-sandbox", true), chromedp.Flag("hide-scrollbars", true))
	ctx, cancel := chromedp.NewExecAllocator(h.t.Context(), opts...)
	h.t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	h.t.Cleanup(cancel)
	b := tab{h.t, ctx}
	// The browser lives as long as the context of its first use.
	if err := chromedp.Do(ctx); err != nil {
		h.t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(width, height))
	var mu sync.Mutex
	err := chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			h.t.Errorf("exception: %s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
		case *log.EventEntryAdded:
			if string(e.Entry.Level) == "error" && !strings.Contains(e.Entry.URL, "favicon") && !strings.Contains(e.Entry.Text, "status of 40") {
				h.t.Errorf("the browser complains: %s %s", e.Entry.Text, e.Entry.URL)
			}
		}
	})
	if err != nil {
		h.t.Fatal(err)
	}
	b.do(chromedp.Navigate(link))
	b.until(`location.pathname === "/" && performance.getEntriesByName("painted").length`)
	return b
}

func (b tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// js is what an expression comes to.
func js[T any](b tab, expression string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to be true.
func (b tab) until(expression string) {
	b.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		cancel()
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
			b.Fatalf("waiting for %s took longer than %s (%v); the page has:\n%s", expression, patience, err, text)
		}
	}
}

func (b tab) hash(h string) { b.Helper(); js[any](b, fmt.Sprintf("location.hash = %q", h)) }

// click presses what a selector finds, as a person would.
func (b tab) click(selector string) {
	b.Helper()
	b.until(fmt.Sprintf(`document.querySelector(%q)?.checkVisibility() && !document.querySelector(%q).disabled`, selector, selector))
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// typed types into what has the focus. A key event would be typed twice by the terminal.
func (b tab) typed(text string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		b.Fatal(err)
	}
}

// text is what is drawn on the terminal.
func (b tab) text() string {
	b.Helper()
	return js[string](b, `[...document.querySelectorAll(".xterm-rows > div")].map((d) => d.textContent).join("\n")`)
}

// picture is what is on the screen; with -update it goes to docs/page-NAME.png.
func (b tab) picture(name string) image.Image {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	if *update && name != "" {
		if err := os.WriteFile(filepath.Join("../../../docs", "page-"+name+".png"), shot, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		b.Fatal(err)
	}
	return img
}

// bright is how many pixels in the box of an element are bright.
func (b tab) bright(selector string) (n int) {
	b.Helper()
	box := js[[]float64](b, fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; })()`, selector))
	img := b.picture("")
	for y := int(box[1]) + 2; y < int(box[3])-2; y++ {
		for x := int(box[0]) + 2; x < int(box[2])-2; x++ {
			if r, g, bl, _ := img.At(x, y).RGBA(); r > 0xa000 && g > 0xa000 && bl > 0x9000 {
				n++
			}
		}
	}
	return n
}
