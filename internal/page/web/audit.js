// The audit as a picture of the jail: what the hypervisor holds stands inside its wall, each row as it is seen now.
import { cellPath, get } from "./api.js";
import { el, icon, setAttr, setText } from "./dom.js";
import { known, runs } from "./state.js";

const pause = 3000;
const bad = (v) => ["missing", "extra", "unknown"].includes(v);
const words = { seen: "seen", recorded: "recorded before exec", missing: "missing", extra: "extra", unknown: "cannot be seen" };

export function auditPane(name, body) {
  const verdict = el("p.verdict", { role: "status" });
  const when = el("span.muted");
  const onlyBad = el("input", { type: "checkbox", onchange: () => draw() });
  const core = el("div.core", {}, el("strong"), el("span"));
  const groups = el("div.groups");
  const jail = el("div.jail", {}, el("span.wall", {}, "the jail of " + name), core, groups);
  const host = el("div.host", {}, el("span.wall", {}), jail);
  const empty = el("div.empty", { hidden: true });
  body.append(el("div.bar", {}, verdict, el("span.grow"), el("label", {}, onlyBad, " only what is wrong"), when), host, empty);
  const cells = new Map();
  let report = null;
  let visible = true;
  let timer = null;
  let running = false;

  async function look() {
    clearTimeout(timer);
    if (!visible) return;
    try {
      report = await get(cellPath(name) + "/audit");
      draw();
    } catch (e) {
      report = null;
      host.hidden = true;
      empty.hidden = false;
      empty.replaceChildren(el("p", {}, e.message), el("p.muted", {}, e.hint || "An audit reads a live hypervisor from outside."));
      setText(verdict, "");
    }
    if (visible && running) timer = setTimeout(look, pause);
  }

  function row(r) {
    let c = cells.get(r.group + r.id);
    if (!c) {
      c = { mark: el("span.mark"), id: el("b"), seen: el("span.seen"), want: el("span.want"), verdict: "" };
      c.li = el("li", {}, c.mark, el("div", {}, c.id, c.seen, c.want));
      cells.set(r.group + r.id, c);
    }
    const wrong = bad(r.verdict);
    if (c.verdict !== r.verdict) {
      if (c.verdict) { c.li.classList.remove("changed"); void c.li.offsetWidth; c.li.classList.add("changed"); }
      c.verdict = r.verdict;
      c.mark.replaceChildren(icon(wrong ? "bad" : r.verdict === "seen" ? "ok" : "info"), el("span.sr", {}, words[r.verdict] ?? r.verdict));
    }
    setText(c.id, r.id);
    setText(c.seen, r.seen);
    setText(c.want, wrong ? `${words[r.verdict] ?? r.verdict}; the plan has: ${r.want}` : r.want === r.seen ? "" : r.want);
    setAttr(c.li, "data-verdict", wrong ? "bad" : r.verdict);
    c.li.hidden = onlyBad.checked && !wrong;
    return c.li;
  }

  function draw() {
    if (!report) return;
    host.hidden = false;
    empty.hidden = true;
    const wrong = report.rows.filter((r) => bad(r.verdict));
    setText(verdict, wrong.length ? `Failed: ${wrong.length} of ${report.rows.length} rows are not as planned` : `Passed: all ${report.rows.length} rows are as planned, and nothing else is there`);
    setAttr(verdict, "data-tone", wrong.length ? "bad" : "good");
    setAttr(jail, "data-tone", wrong.length ? "bad" : "good");
    setText(when, "looked at " + new Date(report.time).toLocaleTimeString());
    setText(host.firstChild, "the host " + known.me.host);
    setText(core.firstChild, "hypervisor");
    setText(core.lastChild, "pid " + report.pid);
    const byGroup = new Map();
    for (const r of report.rows) {
      if (!byGroup.has(r.group)) byGroup.set(r.group, []);
      byGroup.get(r.group).push(r);
    }
    // What is wrong comes first.
    const worst = (rows) => -rows.filter((r) => bad(r.verdict)).length;
    const sorted = [...byGroup].map(([group, rows]) => [group, rows.toSorted((a, b) => bad(b.verdict) - bad(a.verdict))]).sort((a, b) => worst(a[1]) - worst(b[1]));
    const boxes = sorted.map(([group, rows]) => {
      const wrongHere = rows.filter((r) => bad(r.verdict)).length;
      let box = groups.querySelector(`[data-group="${CSS.escape(group)}"]`);
      if (!box) box = el("section", { "data-group": group }, el("h3", {}, group, el("small")), el("ul"));
      setText(box.querySelector("small"), wrongHere ? `${wrongHere} wrong` : `${rows.length}`);
      setAttr(box, "data-tone", wrongHere ? "bad" : "good");
      const ul = box.querySelector("ul");
      const items = rows.map(row);
      if (ul.children.length !== items.length || items.some((li, i) => ul.children[i] !== li)) ul.replaceChildren(...items);
      box.hidden = onlyBad.checked && !wrongHere;
      return box;
    });
    if (groups.children.length !== boxes.length || boxes.some((b, i) => groups.children[i] !== b)) groups.replaceChildren(...boxes);
  }

  return {
    update(c) {
      const up = !!c && runs(c);
      if (up !== running) { running = up; if (visible) { clearTimeout(timer); timer = setTimeout(look, up ? 300 : 0); } }
    },
    shown(v) { visible = v; clearTimeout(timer); if (v) look(); },
    close() { visible = false; clearTimeout(timer); },
  };
}
