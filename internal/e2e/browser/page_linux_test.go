package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/sys/unix"
)

const plainCell = "cell %q {\n  memory = \"64M\"\n  boot   = \"hello\"\n}\n"

// TestPage walks through the page with a real guest: starts it, types on its console, loads the page again, sees its
// screen, looks at its audit while somebody tampers with it, corrects its file and presses its power button.
func TestPage(t *testing.T) {
	h := newHost(t)
	for i := 1; i <= 6; i++ {
		h.file(fmt.Sprintf("lab-%d", i), fmt.Sprintf(plainCell, fmt.Sprintf("lab-%d", i)))
	}
	for name, may := range map[string]string{"lab-3": `"read"`, "lab-5": `"console", "power"`} {
		h.file(name, fmt.Sprintf("cell %q {\n  memory = \"64M\"\n  access {\n    users = [\"nobody\"]\n    may = [%s]\n  }\n}\n", name, may))
	}
	h.file("desk", "cell \"desk\" {\n  cpus   = 2\n  memory = \"128M\"\n  boot   = \"hello\"\n  screen {}\n}\n")
	h.file("web", "cell \"web\" {\n  cpus   = \"two\"\n  memry  = \"128M\"\n}\n")
	h.must("up", "lab-1", "lab-2", "lab-3", "lab-5", "desk")
	h.serve()
	b := h.open(h.links[0], 1280, 720)
	js[any](b, `document.documentElement.dataset.theme = "light"`)

	// The table is there, sorts, filters, and starts a cell.
	b.until(`document.querySelectorAll(".cells tbody tr").length === 8`)
	b.until(`[...document.querySelectorAll(".c-cpu")].some((d) => d.textContent.includes("%"))`)
	b.picture("cells")
	b.click(".c-state button")
	b.until(`document.querySelector(".c-state").ariaSort === "ascending" || document.querySelector(".c-state").getAttribute("aria-sort") === "ascending"`)
	if first := js[string](b, `document.querySelector(".cells tbody .c-name a").textContent`); first != "web" {
		t.Errorf("sorted by state the first is %s, not what needs a look", first)
	}
	b.click("#filter")
	b.typed("lab-4")
	b.until(`document.querySelectorAll(".cells tbody tr").length === 1`)
	b.click(".cells tbody .c-act button")
	b.until(`document.querySelector(".cells tbody tr").dataset.tone === "good"`)
	if got := h.cell("lab-4").State; got != "running" {
		t.Errorf("lab-4 is %s", got)
	}

	t.Run("console", func(t *testing.T) { testConsole(t, h, tab{t, b.ctx}) })
	t.Run("screen", func(t *testing.T) { testScreen(t, tab{t, b.ctx}) })
	t.Run("audit", func(t *testing.T) { testAudit(t, h, tab{t, b.ctx}) })
	t.Run("file", func(t *testing.T) { testFile(t, h, tab{t, b.ctx}) })
	t.Run("looker", func(t *testing.T) { testLooker(t, h) })
	t.Run("access", func(t *testing.T) { testAccess(t, h) })
	t.Run("power button", func(t *testing.T) { testPowerButton(t, h, tab{t, b.ctx}) })
	t.Run("phone", func(t *testing.T) {
		b := tab{t, b.ctx}
		b.do(chromedp.EmulateViewport(390, 780))
		b.hash("#/")
		b.until(`document.querySelectorAll(".cells tbody tr").length > 0`)
		if wide := js[int](b, `document.documentElement.scrollWidth`); wide > 390 {
			t.Errorf("the page is %d wide on a phone of 390", wide)
		}
	})
}

func testConsole(t *testing.T, h *host, b tab) {
	b.hash("#/cell/lab-4/console")
	b.until(`document.querySelector(".foot [data-tone=good]")`)
	h.until("the greeting", func() bool { return strings.Contains(b.text(), "hello from a guest inside skep") })
	if strings.Contains(b.text(), "zz9") {
		t.Fatal("it was typed before it was")
	}
	js[any](b, `document.querySelector(".terminal-frame textarea").focus()`)
	b.typed("zz9")
	h.until("the echo", func() bool { return strings.Count(b.text(), "zz9") == 1 })
	// What the terminal has in its buffer is drawn, in colours that can be told apart.
	if n := b.bright(".terminal-frame"); n < 500 {
		t.Errorf("%d bright pixels on the terminal: it is black on black", n)
	}
	b.picture("console")
	// It stays over another size, and comes back with the end of its log over another load.
	b.do(chromedp.EmulateViewport(900, 600))
	b.typed("yy8")
	h.until("the echo after another size", func() bool { return strings.Contains(strings.ReplaceAll(b.text(), "\n", ""), "yy8") })
	b.do(chromedp.EmulateViewport(1280, 720), chromedp.Reload())
	b.until(`document.querySelector(".foot [data-tone=good]")`)
	h.until("the log after another load", func() bool {
		return strings.Contains(b.text(), "zz9") && strings.Contains(b.text(), "hello from a guest")
	})
	js[any](b, `document.querySelector(".terminal-frame textarea").focus()`)
	b.typed("xx7")
	h.until("the echo after another load", func() bool { return strings.Contains(b.text(), "xx7") })
	// The keyboard leads out of it.
	js[any](b, `document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "F6", bubbles: true}))`)
	b.until(`document.activeElement.id === "tab-console"`)
}

func testScreen(t *testing.T, b tab) {
	b.hash("#/cell/desk/screen")
	b.until(`document.querySelector(".screen canvas")?.width > 300`)
	b.until(`document.querySelector("#pane-screen .foot [data-tone=good]")`)
	for deadline := time.Now().Add(patience); b.bright(".screen canvas") < 100; {
		if time.Now().After(deadline) {
			t.Fatal("nothing is drawn on the screen")
		}
		time.Sleep(200 * time.Millisecond)
	}
	b.click(".split")
	b.until(`document.querySelector("#pane-console").checkVisibility() && document.querySelector("#pane-screen").checkVisibility()`)
	js[any](b, `document.documentElement.dataset.theme = "dark"`)
	b.until(`document.querySelector("#pane-console .foot [data-tone=good]")`)
	b.picture("screen")
	js[any](b, `document.documentElement.dataset.theme = "light"`)
}

// testAudit: one who changes a limit of a live hypervisor is seen within ten seconds.
func testAudit(t *testing.T, h *host, b tab) {
	b.hash("#/cell/lab-1/audit")
	b.until(`document.querySelector(".jail")?.dataset.tone === "good"`)
	if rows := js[int](b, `document.querySelectorAll(".groups li").length`); rows < 60 {
		t.Errorf("the picture has %d rows", rows)
	}
	pid := h.cell("lab-1").PID
	var was unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 100, Max: 200}, nil); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	b.until(`document.querySelector(".jail").dataset.tone === "bad"`)
	t.Logf("it turned red after %s", time.Since(began).Round(100*time.Millisecond))
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := js[string](b, `document.querySelector('li[data-verdict="bad"] b').textContent`); got != "rlimit-nofile" {
		t.Errorf("the row in red is %s", got)
	}
	b.picture("audit")
}

// testFile: mistakes are shown at their lines, and a file without any is kept.
func testFile(t *testing.T, h *host, b tab) {
	b.hash("#/cell/web/file")
	b.until(`document.querySelectorAll(".mistakes li").length === 2`)
	if got := js[string](b, `[...document.querySelectorAll(".gutter .bad")].map((s) => s.textContent).join()`); got != "2,3" {
		t.Errorf("the lines with mistakes are %s", got)
	}
	if !js[bool](b, `[...document.querySelectorAll(".editor + .mistakes, .bar .primary")].at(0) && document.querySelector(".pane:not([hidden]) .bar .primary").disabled`) {
		t.Error("a file with mistakes can be saved")
	}
	b.picture("file")
	b.click(".mistakes li:nth-child(2) button")
	if got := js[int](b, `document.querySelector("textarea:not(.xterm *)").selectionStart`); got != strings.Index("cell \"web\" {\n  cpus   = \"two\"\n  memry", "memry") {
		t.Errorf("the mistake is said to be at %d", got)
	}
	js[any](b, `(() => { const a = document.querySelector(".editor textarea"); a.value = 'cell "web" {\n  cpus = 2\n}\n'; a.dispatchEvent(new Event("input")); })()`)
	b.click(".pane:not([hidden]) .bar .primary")
	b.until(`document.querySelector(".toast.good")`)
	if out := h.must("check", "web"); strings.Contains(out, "mistake") {
		t.Error(out)
	}
}

// testLooker: who may only look sees, and has nothing to press.
func testLooker(t *testing.T, h *host) {
	h = &host{t: t, dir: h.dir, env: h.env, links: h.links, socket: h.socket}
	b := h.open(h.links[1], 1000, 700)
	b.until(`document.querySelector("#who").textContent.includes("may only look")`)
	b.until(`document.querySelectorAll(".cells tbody tr").length === 8`)
	if n := js[int](b, `document.querySelectorAll(".c-act button:not(:disabled)").length`); n > 0 {
		t.Errorf("there are %d buttons to press", n)
	}
	b.hash("#/cell/lab-2/console")
	h.until("the log", func() bool { return strings.Contains(b.text(), "hello from a guest inside skep") })
	b.until(`document.querySelector(".foot [role=status]").textContent.includes("you may only look")`)
	if got := js[int](b, `fetch("/api/v1/cells/lab-2/stop", {method: "POST"}).then((r) => r.status)`); got != http.StatusForbidden {
		t.Errorf("who may only look stops a cell: %d", got)
	}
	// The same link does not let a second one in.
	if resp, err := http.Get(h.links[1]); err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the link a second time: %v %v", resp.StatusCode, err)
	}
}

// testAccess: a user whom two cell files give something sees those two, and does that and nothing else.
func testAccess(t *testing.T, h *host) {
	h = &host{t: t, dir: h.dir, env: h.env, links: h.links, socket: h.socket}
	b := h.open(h.links[2], 1000, 700)
	b.until(`document.querySelector("#who").textContent === "nobody · some cells"`)
	b.until(`[...document.querySelectorAll(".cells tbody .c-name a")].map((a) => a.textContent).join() === "lab-3,lab-5"`)
	if n := js[int](b, `document.querySelectorAll(".c-act button:not(:disabled)").length`); n != 1 {
		t.Errorf("there are %d buttons to press, and lab-5 has one", n)
	}
	b.hash("#/cell/lab-3/console")
	h.until("the log", func() bool { return strings.Contains(b.text(), "hello from a guest inside skep") })
	b.until(`document.querySelector(".foot [role=status]").textContent.includes("you may only look")`)
	b.until(`document.querySelector(".actions").hidden`)
	for path, want := range map[string]int{"lab-3/stop": 403, "lab-5/restart": 403, "lab-5/start": 403, "lab-1/stop": 403, "desk/kill": 403} {
		if got := js[int](b, fmt.Sprintf(`fetch("/api/v1/cells/%s", {method: "POST"}).then((r) => r.status)`, path)); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	for path, want := range map[string]int{"cells/lab-3/audit": 200, "cells/lab-3": 200, "cells/lab-3/file": 403, "cells/lab-5": 403, "cells/lab-5/log": 403, "cells/lab-1/log": 403, "cells/desk/screen.png": 403, "events": 403, "images": 403} {
		if got := js[int](b, fmt.Sprintf(`fetch("/api/v1/%s").then((r) => r.status)`, path)); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	b.hash("#/cell/lab-5/console")
	b.until(`document.querySelector("#pane-console .foot [data-tone=good]")`)
	js[any](b, `document.querySelector(".terminal-frame textarea").focus()`)
	b.typed("ww6")
	h.until("the echo", func() bool { return strings.Contains(b.text(), "ww6") })
	b.click(`.actions button[title="Press the power button"]`)
	h.until("the end of lab-5", func() bool { return h.cell("lab-5").State == "stopped" })
	if out := h.must("ps", "-a"); !strings.Contains(out, "nobody") {
		t.Errorf("who stopped it is not said:\n%s", out)
	}
}

func testPowerButton(t *testing.T, h *host, b tab) {
	b.hash("#/cell/lab-4/console")
	b.until(`document.querySelector("#pane-console .foot [data-tone=good]")`)
	b.click(`.actions button[title="Press the power button"]`)
	h.until("the end of lab-4", func() bool { return h.cell("lab-4").State == "stopped" })
	h.until("its last words", func() bool { return strings.Contains(b.text(), "power button: power off") })
	// It starts again while its tab is open, and the console is there.
	b.click(".actions .primary")
	b.until(`document.querySelector("#pane-console .foot [data-tone=good]")`)
	h.until("the second greeting", func() bool { return strings.Count(b.text(), "hello from a guest inside skep") >= 2 })
}

// TestTwoHundred: a list of two hundred cells is drawn at once.
func TestTwoHundred(t *testing.T) {
	h := newHost(t)
	for i := range 200 {
		h.file(fmt.Sprintf("c%03d", i), fmt.Sprintf(plainCell, fmt.Sprintf("c%03d", i)))
	}
	h.serve()
	var all struct{ Cells []cell }
	if err := json.Unmarshal(h.get("/api/v1/cells"), &all); err != nil || len(all.Cells) != 200 {
		t.Fatalf("%d cells, %v", len(all.Cells), err)
	}
	b := h.open(h.links[0], 1280, 800)
	b.until(`document.querySelectorAll(".cells tbody tr").length === 200`)
	t.Logf("the page's own work until 200 cells were drawn: %.0f ms", js[float64](b, `performance.getEntriesByType("measure").reduce((n, m) => n + m.duration, 0)`))
	t.Logf("from the click on the link: %.0f ms until the first paint with something to see, %.0f ms until the first cells were there",
		js[float64](b, `performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1`),
		js[float64](b, `performance.getEntriesByType("measure")[0]?.startTime ?? -1`))
	// It is kept current without being built anew.
	js[any](b, `document.querySelector(".cells tbody tr").dataset.mark = "same"`)
	time.Sleep(3 * time.Second)
	if js[string](b, `document.querySelector(".cells tbody tr").dataset.mark ?? ""`) != "same" {
		t.Error("the rows are built anew each time")
	}
}
