// All cells as a table that is kept current in place.
import { act, pending } from "./act.js";
import { ago, el, icon, rate, setAttr, setText, size } from "./dom.js";
import { known, mayAct, runs, stateWord, tone, watch } from "./state.js";

const natural = new Intl.Collator("en", { numeric: true }).compare;
const order = ["crashed", "held", "invalid", "unknown", "starting", "stopping", "paused", "running", "stopped"];
const columns = [
  { id: "name", head: "Cell", key: (c) => c.name, compare: natural },
  { id: "state", head: "State", key: (c) => order.indexOf(stateWord(c)) },
  { id: "cpu", head: "CPU", key: (c) => -(c.rates?.cpu ?? -1), number: true },
  { id: "memory", head: "Memory", key: (c) => -(c.use?.memory_bytes ?? -1), number: true },
  { id: "disk", head: "Disk", key: (c) => -(c.rates?.disk ?? -1), number: true },
  { id: "net", head: "Network", key: (c) => -(c.rates?.net ?? -1), number: true },
  { id: "since", head: "For", key: (c) => c.since ?? "9", number: true },
];
const view = { sort: "name", down: false, filter: "" };

export function cellsPage() {
  const rows = new Map();
  const body = el("tbody");
  const heads = columns.map((c) => {
    const b = el("button", { type: "button", onclick: () => sortBy(c.id) }, c.head);
    return el("th", { scope: "col", class: `c-${c.id}` + (c.number ? " num" : "") }, b);
  });
  const filter = el("input", {
    type: "search", id: "filter", placeholder: "Filter by name, state or reason", ariaLabel: "Filter cells",
    value: view.filter, oninput: () => { view.filter = filter.value; draw(); },
  });
  const sums = el("p.sums", { "aria-live": "off" });
  const empty = el("div.empty", { hidden: true });
  const table = el("table.cells", {}, el("caption.sr", {}, "Cells of this host"),
    el("thead", {}, el("tr", {}, heads, el("th", { class: "c-act" }, el("span.sr", {}, "Actions")))), body);
  const page = el("section.page.wide", { ariaLabel: "Cells" },
    el("div.bar", {}, el("h1", {}, "Cells"), sums, el("span.grow"), filter,
      mayAct() && el("a.button.primary", { href: "#/new" }, icon("plus"), "New cell")), table, empty);

  function sortBy(id) {
    view.down = view.sort === id ? !view.down : false;
    view.sort = id;
    draw();
  }

  function draw() {
    const words = view.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const column = columns.find((c) => c.id === view.sort);
    const compare = column.compare ?? ((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const list = known.cells.filter((c) => {
      const text = `${c.name} ${c.state} ${c.reason} ${c.accel} ${c.file_error ?? ""}`.toLowerCase();
      return words.every((w) => text.includes(w));
    });
    list.sort((a, b) => (compare(column.key(a), column.key(b)) || natural(a.name, b.name)) * (view.down ? -1 : 1));
    heads.forEach((h, i) => setAttr(h, "aria-sort", columns[i].id !== view.sort ? null : view.down ? "descending" : "ascending"));
    let at = body.firstChild;
    const seen = new Set();
    for (const c of list) {
      let row = rows.get(c.name);
      if (!row) rows.set(c.name, (row = makeRow(c.name)));
      row.update(c);
      seen.add(c.name);
      if (row.tr === at) at = at.nextSibling;
      else body.insertBefore(row.tr, at);
    }
    while (at) { const next = at.nextSibling; at.remove(); at = next; }
    for (const [name, row] of rows) if (!seen.has(name) && !known.byName.has(name)) { row.tr.remove(); rows.delete(name); }
    const running = known.cells.filter((c) => c.state === "running").length;
    const bad = known.cells.filter((c) => tone(c) === "bad").length;
    const memory = known.cells.reduce((n, c) => n + (c.use?.memory_bytes ?? 0), 0);
    const cpu = known.cells.reduce((n, c) => n + (c.rates?.cpu ?? 0), 0);
    sums.replaceChildren(...[el("span", {}, el("b", {}, String(running)), ` of ${known.cells.length} running`),
      bad > 0 && el("span.bad", {}, el("b", {}, String(bad)), bad === 1 ? " needs a look" : " need a look"),
      running > 0 && el("span", {}, el("b", {}, Math.round(cpu * 100) + " %"), " of a processor"), running > 0 && el("span", {}, el("b", {}, size(memory)), " memory")].filter(Boolean));
    table.hidden = list.length === 0;
    empty.hidden = list.length > 0;
    if (!list.length) {
      empty.replaceChildren(...[el("p", {}, known.cells.length ? "No cell has that in its name, state or reason." : known.connected ? "There is no cell yet." : "Waiting for skep serve…"),
        !known.cells.length && known.connected && el("p.muted", {}, "A cell file describes one virtual machine. The built-in guest needs none: ", el("code", {}, "skep up hello"))].filter(Boolean));
    }
  }

  const stop = watch(draw);
  document.addEventListener("pending", draw);
  return { page, title: "Cells", close: () => { stop(); document.removeEventListener("pending", draw); } };
}

function makeRow(name) {
  const text = () => document.createTextNode("");
  const p = { state: text(), reason: el("small.reason"), cpu: text(), memory: text(), of: el("small"), disk: text(), net: text(), since: text() };
  const dot = el("span.dot", { "aria-hidden": "true" });
  const cpuBar = el("span.meter", { "aria-hidden": "true" }, el("i"));
  const memoryBar = el("span.meter", { "aria-hidden": "true" }, el("i"));
  const button = el("button.icon", { type: "button" });
  const link = el("a", { href: `#/cell/${encodeURIComponent(name)}` }, name);
  const tr = el("tr", {
    onclick: (e) => { if (!e.target.closest("button, a") && !String(getSelection())) link.click(); },
  }, el("th.c-name", { scope: "row" }, dot, link, p.reason), el("td.c-state", {}, el("span.state", {}, p.state)),
  el("td.c-cpu.num", {}, p.cpu, cpuBar), el("td.c-memory.num", {}, el("span", {}, p.memory, p.of), memoryBar),
  el("td.c-disk.num", {}, p.disk), el("td.c-net.num", {}, p.net), el("td.c-since.num", {}, p.since), el("td.c-act", {}, button));
  button.addEventListener("click", () => act(name, button.dataset.verb));
  let drawn = "";

  function update(c) {
    const doing = pending.get(name);
    const note = c.file_error ? "its file has a mistake: " + c.file_error.replace(/^.*\//, "") : c.reason || (c.suspended ? "paused by " + c.suspended : c.file_differs ? "its file says something else by now" : "");
    setAttr(tr, "data-tone", doing ? "busy" : tone(c));
    setText(p.state, doing ? doing + "…" : stateWord(c));
    setText(p.reason, note);
    p.reason.title = note;
    const share = c.rates ? c.rates.cpu / Math.max(1, c.cpus ?? 1) : 0;
    setText(p.cpu, c.rates ? Math.round(c.rates.cpu * 100) + " %" : "–");
    meter(cpuBar, c.rates ? share : null);
    setText(p.memory, c.use ? size(c.use.memory_bytes) : "–");
    setText(p.of, c.use && c.memory ? " / " + size(c.memory) : "");
    meter(memoryBar, c.use && c.memory ? c.use.memory_bytes / c.memory : null);
    setText(p.disk, c.rates ? rate(c.rates.disk) : "–");
    setText(p.net, c.rates ? rate(c.rates.net) : "–");
    setText(p.since, ago(c.since));
    const verb = runs(c) ? "stop" : "start";
    if (drawn !== verb) {
      drawn = verb;
      button.replaceChildren(icon(verb === "start" ? "play" : "stop"));
      button.dataset.verb = verb;
      button.ariaLabel = `${verb === "start" ? "Start" : "Stop"} ${name}`;
      button.title = verb === "start" ? "Start" : "Stop: press the power button";
    }
    button.disabled = !!doing || !mayAct(c.name, "power");
  }
  return { tr, update };
}

function meter(m, share) {
  m.hidden = share === null;
  if (share !== null) m.firstChild.style.setProperty("--share", Math.min(100, Math.round(share * 100)) + "%");
}
