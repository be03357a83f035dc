// The page: which part of it is shown, and what is the same in all of them.
import { post } from "./api.js";
import { cellPage } from "./cell.js";
import { el, show, toast } from "./dom.js";
import { eventsPage, imagesPage, newPage } from "./pages.js";
import { begin, known, mayAct, watch } from "./state.js";
import { cellsPage } from "./table.js";

const main = document.getElementById("main");
let current = null;

/** #/cell/NAME/TAB: the same cell's page stays when its tab changes, and so do its connections. */
function route() {
  const [what = "", name = "", tab = ""] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  if (what === "cell" && current?.cell === name) {
    current.tab(tab);
    return;
  }
  current?.close?.();
  switch (what) {
    case "cell": current = cellPage(name, tab); break;
    case "images": current = imagesPage(); break;
    case "events": current = eventsPage(); break;
    case "new": current = newPage(); break;
    default: current = cellsPage();
  }
  main.replaceChildren(current.page);
  document.title = current.title + " · skep";
  for (const a of document.querySelectorAll("header nav a")) {
    const here = a.dataset.page === (what === "cell" || what === "" || what === "new" ? "cells" : what);
    if (here) a.setAttribute("aria-current", "page"); else a.removeAttribute("aria-current");
  }
}

// Dark or light: as the system says, until somebody says otherwise.
function theme(set) {
  if (set) localStorage.setItem("theme", set);
  const t = localStorage.getItem("theme");
  if (t) document.documentElement.dataset.theme = t;
  document.dispatchEvent(new Event("theme"));
}
export function dark() {
  const t = document.documentElement.dataset.theme;
  return t ? t === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
document.getElementById("theme").onclick = () => theme(dark() ? "light" : "dark");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme());

document.getElementById("share").onclick = async () => {
  const made = el("input", { type: "text", readOnly: true, ariaLabel: "The link" });
  const make = async (readOnly) => {
    try {
      const link = await post("/links", { read_only: readOnly });
      made.value = new URL(link.path, location.href).href;
      made.select();
    } catch (e) { toast(e.message, e.hint); }
  };
  await make(true);
  show("A link for another browser", el("p", {}, "It signs one browser in, once, within an hour."),
    el("div.choice", {},
      el("label", {}, el("input", { type: "radio", name: "may", checked: true, onchange: () => make(true) }), " may only look"),
      el("label", {}, el("input", { type: "radio", name: "may", onchange: () => make(false) }), " may do all")), made);
  made.select();
};

const keys = [["/", "filter the cells"], ["Esc", "back to all cells"], ["F6", "out of a console or screen, to the tabs"], ["← →", "from tab to tab"], ["?", "this list"]];
function help() {
  show("Keys", el("dl.keys", {}, keys.flatMap(([k, text]) => [el("dt", {}, el("kbd", {}, k)), el("dd", {}, text)])));
}
document.getElementById("help").onclick = help;
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.altKey || e.metaKey || e.target.closest("input, textarea, select, .terminal, .screen, dialog")) return;
  if (e.key === "/") {
    e.preventDefault();
    if (!document.getElementById("filter")) location.hash = "#/";
    setTimeout(() => document.getElementById("filter")?.focus());
  } else if (e.key === "?") help();
  else if (e.key === "Escape" && location.hash.length > 2) location.hash = "#/";
});

theme();
try {
  await begin();
} catch (e) {
  main.replaceChildren(el("section.page", {}, el("h1", {}, "skep serve does not answer"), el("p", {}, e.message), el("p.muted", {}, e.hint)));
  throw e;
}
document.getElementById("host").textContent = known.me.host;
document.getElementById("who").textContent = known.me.user + ({ all: "", some: " · some cells" }[known.me.may] ?? " · may only look");
document.getElementById("share").hidden = !mayAct();
watch(() => {
  const state = document.getElementById("link-state");
  const text = known.connected ? "" : "not connected";
  if (state.textContent !== text) state.textContent = text;
});
addEventListener("hashchange", route);
route();
performance.mark("painted");
const firstDraw = watch(() => {
  if (!known.cells.length) return;
  performance.measure("cells", { start: known.came, end: performance.now() });
  setTimeout(() => firstDraw());
});
