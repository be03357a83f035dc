// A guest's serial console: the end of its log first, then what it says, and what is typed to it.
import { FitAddon } from "./lib/xterm/addon-fit.mjs";
import { Terminal } from "./lib/xterm/xterm.mjs";
import { cellPath, socket } from "./api.js";
import { el } from "./dom.js";
import { runs } from "./state.js";

const sheet = el("link", { rel: "stylesheet", href: "/lib/xterm/xterm.css" });
document.head.append(sheet);

const mostPasted = 1 << 20;
const piece = 4096; // typed in one message
const ahead = 64 << 10; // typed and not yet taken

const colours = {
  background: "#14110d", foreground: "#ece4d6", cursor: "#f2b648", cursorAccent: "#14110d", selectionBackground: "#5c4a24",
  black: "#2a2620", red: "#ff7a6e", green: "#7fd18a", yellow: "#f2c063", blue: "#7fb2ff", magenta: "#d79bf0", cyan: "#6fd3d1", white: "#d9d1c3",
  brightBlack: "#8a8171", brightRed: "#ff9d94", brightGreen: "#a3e4ab", brightYellow: "#ffd98f", brightBlue: "#a9ccff", brightMagenta: "#e8c0fa", brightCyan: "#9fe9e7", brightWhite: "#fffaf0",
};

export function consolePane(name, body) {
  const terminal = new Terminal({
    theme: colours, fontFamily: 'ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace', fontSize: 14, lineHeight: 1.15,
    scrollback: 5000, cursorBlink: false, screenReaderMode: false, convertEol: false,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  const frame = el("div.terminal-frame");
  const note = el("span", { role: "status" });
  const reader = el("label", {}, el("input", { type: "checkbox", checked: localStorage.getItem("reader") === "yes", onchange: (e) => {
    terminal.options.screenReaderMode = e.target.checked;
    localStorage.setItem("reader", e.target.checked ? "yes" : "no");
  } }), " for a screen reader");
  terminal.options.screenReaderMode = localStorage.getItem("reader") === "yes";
  body.append(frame, el("div.foot", {}, note, el("span.grow"), reader, el("span.muted.keys-hint", {}, el("kbd", {}, "F6"), " leaves the console")));
  terminal.open(frame);
  // The key that leads out of the console is not the guest's.
  terminal.attachCustomKeyEventHandler((e) => e.key !== "F6");

  let ws = null;
  let live = false; // the end of the log has been drawn: what the terminal answers to it goes to nobody
  let may = false;
  let wanted = true;
  let running = null;
  let waiting = null;
  let pause = 500;
  let typed = [];

  const status = (text, tone = "") => { note.textContent = text; note.dataset.tone = tone; };

  function connect() {
    clearTimeout(waiting);
    if (!wanted || ws) return;
    ws = new WebSocket(socket(cellPath(name) + "/console"));
    ws.binaryType = "arraybuffer";
    live = may = false;
    let fresh = true;
    ws.onopen = () => { pause = 500; };
    ws.onmessage = (e) => {
      if (typeof e.data !== "string") {
        terminal.write(new Uint8Array(e.data));
        return;
      }
      const word = JSON.parse(e.data);
      if (word.kind === "log" && fresh) { terminal.reset(); fresh = false; }
      if (word.kind === "live") {
        const allowed = word.may_type === true;
        terminal.write("", () => { live = true; may = allowed; });
        terminal.options.disableStdin = !allowed;
        status(allowed ? "connected" : running ? "reading along" + (word.reason ? ": " + word.reason : "") : "it is not running; this is the end of its log", allowed ? "good" : "");
      }
      if (word.kind === "stuck") status(word.reason, "bad");
      if (word.kind === "ended") { status("the cell has ended", "bad"); may = false; }
    };
    ws.onclose = () => {
      ws = null;
      live = may = false;
      typed = [];
      if (!wanted) return;
      if (note.dataset.tone !== "bad") status("not connected");
      waiting = setTimeout(connect, pause);
      pause = Math.min(pause * 2, 8000);
    };
  }

  // What is pasted goes in pieces, and no faster than it is taken.
  function pump() {
    while (typed.length && ws?.readyState === WebSocket.OPEN && ws.bufferedAmount < ahead) ws.send(typed.shift());
    if (typed.length) setTimeout(pump, 20);
  }

  terminal.onData((text) => {
    if (!live || !may) return;
    if (text.length > mostPasted) { status("that is too much to paste: a MiB is the most", "bad"); return; }
    const bytes = new TextEncoder().encode(text);
    for (let i = 0; i < bytes.length; i += piece) typed.push(bytes.subarray(i, i + piece));
    pump();
  });

  const resize = new ResizeObserver(() => {
    if (body.hidden || frame.clientWidth < 40) return;
    terminal.options.fontSize = frame.clientWidth < 520 ? 12 : 14;
    fit.fit();
  });
  resize.observe(frame);
  connect();
  return {
    terminal,
    update(c) {
      const up = !!c && runs(c);
      const was = running;
      running = up;
      if (up && was === false) { // it has just started: another console
        ws?.close();
        pause = 500;
        clearTimeout(waiting);
        waiting = setTimeout(connect, 300);
      }
    },
    shown(visible) {
      if (!visible) return;
      fit.fit();
      terminal.focus();
    },
    close() {
      wanted = false;
      clearTimeout(waiting);
      resize.disconnect();
      ws?.close();
      terminal.dispose();
    },
  };
}
