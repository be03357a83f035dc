// A guest's screen, by noVNC; as pictures for whoever may only look.
import { cellPath, socket } from "./api.js";
import { el, icon } from "./dom.js";
import RFB from "./lib/novnc/core/rfb.js";
import { mayAct, runs } from "./state.js";

export function screenPane(name, body) {
  const frame = el("div.screen", { tabIndex: -1 });
  const note = el("span", { role: "status" });
  const full = el("button.icon", { type: "button", ariaLabel: "Full screen", title: "Full screen", onclick: () => frame.requestFullscreen?.() }, icon("full"));
  const keys = el("button", { type: "button", hidden: !mayAct(name, "screen"), onclick: () => { rfb?.sendCtrlAltDel(); rfb?.focus(); } }, "Ctrl-Alt-Del");
  body.append(frame, el("div.foot", {}, note, el("span.grow"), keys, full, el("span.muted.keys-hint", {}, el("kbd", {}, "F6"), " leaves the screen")));
  const status = (text, tone = "") => { note.textContent = text; note.dataset.tone = tone; };

  let rfb = null;
  let running = false;
  let wanted = true;
  let waiting = null;

  function connect() {
    clearTimeout(waiting);
    if (!wanted || rfb || !running) return;
    status("connecting");
    rfb = new RFB(frame, socket(cellPath(name) + "/screen"), { wsProtocols: [] });
    rfb.scaleViewport = true;
    rfb.background = "transparent";
    rfb.focusOnClick = true;
    rfb.addEventListener("connect", () => status("connected", "good"));
    rfb.addEventListener("credentialsrequired", () => {
      const password = prompt("Password of this screen");
      if (password === null) rfb.disconnect(); else rfb.sendCredentials({ password });
    });
    rfb.addEventListener("disconnect", () => {
      rfb = null;
      status("not connected");
      if (wanted) waiting = setTimeout(connect, 1500);
    });
  }

  // Whoever may only look has a picture each second.
  let picture = null;
  async function look() {
    clearTimeout(waiting);
    if (!wanted || !running || body.hidden) return;
    if (!picture) { picture = el("img", { alt: "The screen of " + name }); frame.replaceChildren(picture); }
    const next = new Image();
    next.onload = () => { picture.src = next.src; status("a picture each second"); waiting = setTimeout(look, 1000); };
    next.onerror = () => { status("there is no picture"); waiting = setTimeout(look, 3000); };
    next.src = `/api/v1${cellPath(name)}/screen.png?${Date.now()}`;
  }

  const begin = () => (mayAct(name, "screen") ? connect() : look());
  return {
    update(c) {
      const up = !!c && runs(c) && c.has_screen;
      if (up === running) return;
      running = up;
      if (up) begin(); else status("it is not running");
    },
    shown(visible) { if (visible && running) { begin(); rfb?.focus(); } },
    close() { wanted = false; clearTimeout(waiting); rfb?.disconnect(); },
  };
}
