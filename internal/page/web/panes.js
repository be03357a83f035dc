// Smaller tabs of a cell: its plan, its log and its snapshots.
import { cellPath, get, post, remove, text } from "./api.js";
import { ago, confirm, el, toast } from "./dom.js";
import { mayAct } from "./state.js";

function failed(body, e) {
  body.replaceChildren(el("div.empty", {}, el("p", {}, e.message), e.hint && el("p.muted", {}, e.hint)));
}

/** Every resource with the line of the cell file that asked for it, as skep explain says. */
export function planPane(name, body) {
  async function load() {
    try {
      const { rows } = await get(cellPath(name) + "/explain");
      body.replaceChildren(el("p.lead", {}, `A start takes these ${rows.length} in this order, and an end lets go of them in reverse. Nothing else is touched.`),
        el("ol.plan", {}, rows.map((r) => el("li", {}, el("b", {}, r.id), el("span", {}, r.why),
          el("small", {}, r.pos?.line ? el("a", { href: `#/cell/${encodeURIComponent(name)}/file` }, `line ${r.pos.line} of the file`) : r.for ? "default of " + r.for : "every cell has it"),
          r.details?.length && el("details", {}, el("summary", {}, `${r.details.length} more`), el("ul", {}, r.details.map((d) => el("li", {}, d))))))));
    } catch (e) { failed(body, e); }
  }
  return { shown: (v) => { if (v) load(); } };
}

export function logPane(name, body) {
  const out = el("pre.log", { tabIndex: 0, ariaLabel: "Log of " + name });
  const which = el("select", { ariaLabel: "Whose log", onchange: load }, el("option", { value: "" }, "the guest's console"), el("option", { value: "hypervisor" }, "the hypervisor"));
  const lines = el("select", { ariaLabel: "How much", onchange: load }, [200, 1000, 5000].map((n) => el("option", { value: n }, `last ${n} lines`)));
  body.append(el("div.bar", {}, which, lines, el("span.grow"), el("button", { type: "button", onclick: load }, "Look again")), out);
  async function load() {
    try {
      const t = await text(`${cellPath(name)}/log?lines=${lines.value}&of=${which.value}`);
      out.textContent = t || "Nothing has been said.";
      out.scrollTop = out.scrollHeight;
    } catch (e) { toast(e.message, e.hint); }
  }
  return { shown: (v) => { if (v) load(); } };
}

export function snapshotsPane(name, body) {
  const list = el("div");
  const tag = el("input", { type: "text", placeholder: "tag, or empty for the time", ariaLabel: "Tag", maxLength: 64 });
  const make = el("button.primary", { type: "submit" }, "Take a snapshot");
  if (mayAct()) body.append(el("form.bar", { onsubmit: (e) => { e.preventDefault(); run(make, () => post(cellPath(name) + "/snapshots", { tag: tag.value }), "taken"); } }, tag, make));
  body.append(list);

  async function run(button, f, done) {
    button.disabled = true;
    try { await f(); tag.value = ""; toast("The snapshot is " + done, "", "good"); } catch (e) { toast(e.message, e.hint); }
    button.disabled = false;
    load();
  }

  async function load() {
    try {
      const { snapshots } = await get(cellPath(name) + "/snapshots");
      if (!snapshots.length) { list.replaceChildren(el("div.empty", {}, el("p", {}, "There is no snapshot."), el("p.muted", {}, "One of a cell that runs keeps its memory too, where its disks are layers or qcow2 images."))); return; }
      list.replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ["Tag", "Taken", "Of"].map((h) => el("th", { scope: "col" }, h)), el("th", {}, el("span.sr", {}, "Actions")))),
        el("tbody", {}, snapshots.map((s) => {
          const path = `${cellPath(name)}/snapshots/${encodeURIComponent(s.tag)}`;
          const back = el("button", { type: "button", onclick: async () => {
            if (await confirm(`Go back to ${s.tag}?`, `What ${name} has done since is lost.`, "Go back")) run(back, () => post(path + "/revert"), "what the cell is now");
          } }, "Go back");
          const drop = el("button", { type: "button", onclick: async () => {
            if (await confirm(`Remove ${s.tag}?`, "It cannot be gone back to any more.", "Remove")) run(drop, () => remove(path), "removed");
          } }, "Remove");
          return el("tr", {}, el("th", { scope: "row" }, s.tag), el("td", {}, ago(s.time) + " ago"), el("td", {}, s.memory ? "disks and memory" : "disks"), el("td.end", {}, mayAct() && [back, " ", drop]));
        }))));
    } catch (e) { failed(list, e); }
  }
  return { shown: (v) => { if (v) load(); } };
}
