// Pages beside those of cells.
import { get } from "./api.js";
import { ago, el, size } from "./dom.js";
import { editor } from "./editor.js";
import { mayAct } from "./state.js";

function page(title, ...children) {
  return { page: el("section.page", { ariaLabel: title }, el("div.bar", {}, el("h1", {}, title)), ...children), title };
}

const nothing = (e) => el("div.empty", {}, el("p", {}, e.message), e.hint && el("p.muted", {}, e.hint));

export function imagesPage() {
  const body = el("div");
  get("/images").then(({ images }) => {
    if (!images.length) { body.append(el("div.empty", {}, el("p", {}, "There is no image."), el("p.muted", {}, el("code", {}, "skep image import NAME FILE"), " takes one into the store."))); return; }
    body.append(el("table", {}, el("thead", {}, el("tr", {}, ["Name", "Size", "Digest", "Used by"].map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, images.map((i) => el("tr", {}, el("th", { scope: "row" }, i.name), el("td.num", {}, size(i.size)), el("td", {}, el("code", { title: i.digest }, String(i.digest).slice(0, 19) + "…")),
        el("td", {}, (i.users ?? []).join(", ") || "–"))))));
  }, (e) => body.append(nothing(e)));
  return page("Images", body);
}

export function eventsPage() {
  const body = el("div");
  let timer = null;
  async function load() {
    try {
      const { events } = await get("/events");
      if (!events.length) { body.replaceChildren(el("div.empty", {}, el("p", {}, "Nothing has happened yet."))); } else {
        body.replaceChildren(el("table.events", {}, el("thead", {}, el("tr", {}, ["When", "Cell", "What"].map((h) => el("th", { scope: "col" }, h)))),
          el("tbody", {}, events.map((v) => el("tr", {}, el("td", { title: v.time }, ago(v.time) + " ago"), el("th", { scope: "row" }, el("a", { href: `#/cell/${encodeURIComponent(v.cell)}` }, v.cell)), el("td", {}, v.text))))));
      }
    } catch (e) { body.replaceChildren(nothing(e)); }
    timer = setTimeout(load, 5000);
  }
  load();
  return { ...page("Events", body), close: () => clearTimeout(timer) };
}

const draft = `# One virtual machine and the jail around its hypervisor: man skep.hcl
cell "new" {
  cpus   = 1
  memory = "512M"
  boot   = "hello"
}
`;

export function newPage() {
  const body = el("div.pane");
  if (mayAct()) editor(body, { name: "", text: draft, path: "a new cell file", writable: true, saved: (name) => { location.hash = `#/cell/${encodeURIComponent(name)}/file`; } });
  return page("New cell", body);
}
