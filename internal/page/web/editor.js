// A cell file with the mistakes that skep check finds, at their lines, while it is written.
import { cellPath, get, post, put } from "./api.js";
import { confirm, el, icon, toast } from "./dom.js";
import { mayAct } from "./state.js";

/** An editor in body; options: name (fixed, or "" for what the file says), text, path, writable, saved(name). */
export function editor(body, o) {
  const area = el("textarea", { spellcheck: false, value: o.text, readOnly: !o.writable, ariaLabel: "Cell file", wrap: "off", autocapitalize: "off", autocomplete: "off" });
  area.setAttribute("aria-describedby", "mistakes");
  const gutter = el("div.gutter", { "aria-hidden": "true" });
  const list = el("ul.mistakes", { id: "mistakes" });
  const note = el("span", { role: "status" });
  const save = el("button.primary", { type: "button", hidden: !o.writable, onclick: keep }, "Save");
  body.replaceChildren(el("div.bar", {}, el("code.path", {}, o.path), el("span.grow"), note, save), el("div.editor", {}, gutter, area), list);
  let mistakes = [];
  let name = "";
  let timer = null;
  let asked = 0;
  let was = o.text;

  function lines() {
    const many = area.value.split("\n").length;
    const bad = new Set(mistakes.map((m) => m.pos?.line));
    gutter.replaceChildren(...Array.from({ length: many }, (_, i) => el("span", { class: bad.has(i + 1) ? "bad" : "" }, String(i + 1))));
    gutter.scrollTop = area.scrollTop;
  }

  function goTo(pos) {
    const before = area.value.split("\n").slice(0, pos.line - 1).join("\n").length + (pos.line > 1 ? 1 : 0);
    const at = before + Math.max(0, pos.column - 1);
    area.focus();
    area.setSelectionRange(at, at);
    area.scrollTop = Math.max(0, (pos.line - 4) * parseFloat(getComputedStyle(area).lineHeight));
  }

  async function check() {
    const mine = ++asked;
    try {
      const found = await post("/check", { text: area.value });
      if (mine !== asked) return;
      mistakes = found.mistakes;
      name = found.name ?? "";
    } catch (e) {
      if (mine === asked) toast(e.message, e.hint);
      return;
    }
    const one = mistakes.length === 1;
    note.textContent = mistakes.length ? `${mistakes.length} mistake${one ? "" : "s"}` : area.value === was ? "no mistakes" : "no mistakes; not saved";
    note.dataset.tone = mistakes.length ? "bad" : "good";
    save.disabled = mistakes.length > 0 || area.value === was;
    list.replaceChildren(...mistakes.map((m) => el("li", {}, icon("bad"), el("button", { type: "button", onclick: () => goTo(m.pos) }, `line ${m.pos.line}, column ${m.pos.column}`),
      el("span", {}, m.summary, m.hint && el("small", {}, m.hint)))));
    lines();
  }

  async function keep() {
    const to = o.name || name;
    save.disabled = true;
    try {
      if (!o.name) {
        const there = await get(cellPath(to) + "/file").then(() => true, () => false);
        if (there && !(await confirm(`Replace the file of ${to}?`, "There is one of that name.", "Replace"))) { save.disabled = false; return; }
      }
      await put(cellPath(to) + "/file", { text: area.value });
      was = area.value;
      toast(`The file of ${to} is written`, o.name ? "A cell that runs goes on as it was started; a restart applies it." : "", "good");
      o.saved?.(to);
      check();
    } catch (e) { save.disabled = false; toast(e.message, e.hint); }
  }

  area.addEventListener("input", () => { lines(); clearTimeout(timer); timer = setTimeout(check, 250); });
  area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
  area.addEventListener("keydown", (e) => {
    if ((e.ctrlKey || e.metaKey) && e.key === "s") { e.preventDefault(); if (!save.disabled && o.writable) keep(); }
  });
  lines();
  check();
}

export function editorPane(name, body) {
  let loaded = false;
  async function load() {
    if (loaded) return;
    try {
      const f = await get(cellPath(name) + "/file");
      loaded = true;
      editor(body, { name, text: f.text, path: f.path, writable: f.writable && mayAct() });
    } catch (e) {
      body.replaceChildren(el("div.empty", {}, el("p", {}, e.message), e.hint && el("p.muted", {}, e.hint)));
    }
  }
  return { shown: (v) => { if (v) load(); } };
}
