// One cell: what can be done to it, and tabs with all that there is to see of it.
import { act, pending } from "./act.js";
import { auditPane } from "./audit.js";
import { consolePane } from "./console.js";
import { ago, el, icon, setAttr, setText, size } from "./dom.js";
import { editorPane } from "./editor.js";
import { logPane, planPane, snapshotsPane } from "./panes.js";
import { screenPane } from "./screen.js";
import { known, mayAct, runs, stateWord, tone, watch } from "./state.js";

const tabs = [
  { id: "console", head: "Console", make: consolePane },
  { id: "screen", head: "Screen", make: screenPane, when: (c) => c?.has_screen },
  { id: "audit", head: "Audit", make: auditPane },
  { id: "plan", head: "Plan", make: planPane },
  { id: "log", head: "Log", make: logPane },
  { id: "snapshots", head: "Snapshots", make: snapshotsPane },
  { id: "file", head: "File", make: editorPane },
];

export function cellPage(name, first) {
  const panes = new Map(); // made when first looked at; a connection stays while another tab is shown
  let now = tabs.some((t) => t.id === first) ? first : "console";
  let split = false;

  const dot = el("span.dot", { "aria-hidden": "true" });
  const state = el("span.state");
  const facts = el("p.facts");
  const reason = el("p.reason", { role: "status" });
  const buttons = Object.fromEntries([["start", "play", "Start"], ["stop", "stop", "Stop"], ["pause", "pause", "Pause"], ["resume", "play", "Resume"],
    ["restart", "restart", "Restart"], ["kill", "kill", "Kill"]].map(([verb, i, text]) =>
    [verb, el("button", { type: "button", class: verb === "start" ? "primary" : "", onclick: () => act(name, verb), title: verb === "stop" ? "Press the power button" : text }, icon(i), el("span", {}, text))]));
  const actions = el("div.actions", { role: "group", ariaLabel: "Do to " + name }, mayAct() ? Object.values(buttons) : ["stop", "pause", "resume", "kill"].map((verb) => buttons[verb]));
  const sideBySide = el("button.icon.split", { type: "button", ariaLabel: "Console and screen side by side", title: "Console and screen side by side", ariaPressed: "false",
    onclick: () => { split = !split; choose(split && now !== "screen" ? "console" : now); } }, icon("split"));
  const strip = el("div.tabs", { role: "tablist", ariaLabel: "Of " + name });
  const heads = tabs.map((t) => {
    const b = el("button", { type: "button", role: "tab", id: "tab-" + t.id, onclick: () => go(t.id) }, t.head);
    b.setAttribute("aria-controls", "pane-" + t.id);
    strip.append(b);
    return b;
  });
  strip.addEventListener("keydown", (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step) return;
    const shown = heads.filter((h) => !h.hidden);
    const next = shown[(shown.indexOf(document.activeElement) + step + shown.length) % shown.length];
    next.focus();
    next.click();
  });
  const area = el("div.panes");
  const list = el("nav.others", { ariaLabel: "Other cells" });
  const page = el("section.cell", { ariaLabel: name },
    list,
    el("div.one", {},
      el("header.head", {}, el("a.icon.back", { href: "#/", ariaLabel: "All cells" }, icon("back")),
        el("div.title", {}, el("h1", {}, dot, name, state), facts), el("span.grow"), actions),
      reason, el("div.tabbar", {}, strip, el("span.grow"), sideBySide), area));
  page.addEventListener("keydown", (e) => {
    if (e.key === "F6") { e.preventDefault(); heads[tabs.findIndex((t) => t.id === now)].focus(); }
  }, true);

  function go(id) {
    history.replaceState(null, "", `#/cell/${encodeURIComponent(name)}/${id}`);
    choose(id);
  }

  function pane(id) {
    let p = panes.get(id);
    if (!p) {
      const body = el("div.pane", { role: "tabpanel", id: "pane-" + id, tabIndex: -1 });
      body.setAttribute("aria-labelledby", "tab-" + id);
      area.append(body);
      p = { body, of: tabs.find((t) => t.id === id).make(name, body) };
      panes.set(id, p);
      p.of.update?.(known.byName.get(name));
    }
    return p;
  }

  function choose(id) {
    now = id;
    if (id !== "console" && id !== "screen") split = false;
    const shown = split ? ["console", "screen"] : [id];
    shown.forEach(pane);
    for (const [k, p] of panes) {
      const visible = shown.includes(k);
      if (p.body.hidden === visible) p.body.hidden = !visible;
      p.of.shown?.(visible);
    }
    area.classList.toggle("two", split);
    setAttr(sideBySide, "aria-pressed", String(split));
    heads.forEach((h, i) => {
      const here = tabs[i].id === id;
      setAttr(h, "aria-selected", String(here));
      h.tabIndex = here ? 0 : -1;
    });
  }

  function draw() {
    const c = known.byName.get(name);
    const doing = pending.get(name);
    setAttr(page, "data-tone", c ? (doing ? "busy" : tone(c)) : "off");
    setText(state, doing ? doing + "…" : !c ? "unknown here" : stateWord(c));
    const words = c ? [c.since && "for " + ago(c.since), c.accel && (c.accel === "kvm" ? "KVM" : c.accel === "tcg" ? "emulated" : c.accel), c.pid && "pid " + c.pid, c.uid >= 0 && c.pid && "uid " + c.uid,
      c.rates && Math.round(c.rates.cpu * 100) + " % CPU", c.use && size(c.use.memory_bytes) + (c.memory ? " of " + size(c.memory) : "")] : [];
    setText(facts, words.filter(Boolean).join("  ·  "));
    const note = !c ? "" : c.file_error ? "Its file has a mistake: " + c.file_error.replace(/^.*\//, "") : c.reason || (c.file_differs ? "Its file differs from what runs: " + (c.differences ?? []).join(", ") + ". A restart applies it." : "");
    setText(reason, note);
    reason.hidden = !note;
    const up = c && runs(c);
    const paused = c?.suspended;
    const visible = { start: !up, stop: up, pause: up && !paused && c.state === "running", resume: !!paused, restart: up, kill: up };
    actions.hidden = !mayAct(name, "power");
    for (const [verb, b] of Object.entries(buttons)) { b.hidden = !visible[verb]; b.disabled = !!doing; }
    heads.forEach((h, i) => { h.hidden = tabs[i].when ? !tabs[i].when(c) && now !== tabs[i].id : false; });
    sideBySide.hidden = !c?.has_screen;
    for (const p of panes.values()) p.of.update?.(c);
    if (list.childElementCount !== known.cells.length) {
      list.replaceChildren(...known.cells.map((o) => el("a", { href: `#/cell/${encodeURIComponent(o.name)}` }, el("span.dot", { "aria-hidden": "true" }), o.name)));
    }
    known.cells.forEach((o, i) => {
      setAttr(list.children[i], "data-tone", tone(o));
      setAttr(list.children[i], "aria-current", o.name === name ? "page" : null);
    });
  }

  choose(now);
  const stop = watch(draw);
  document.addEventListener("pending", draw);
  return {
    page, cell: name, title: name,
    tab: (id) => { if (tabs.some((t) => t.id === id) && id !== now) choose(id); },
    close: () => {
      stop();
      document.removeEventListener("pending", draw);
      for (const p of panes.values()) p.of.close?.();
    },
  };
}
