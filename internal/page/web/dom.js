// Making and changing elements, and words for people.

/** An element: el("a.name", {href: "…", onclick: f}, "text", child, …). */
export function el(what, props, ...children) {
  const [tag, ...classes] = what.split(".");
  const e = document.createElement(tag || "div");
  if (classes.length) e.className = classes.join(" ");
  for (const [k, v] of Object.entries(props ?? {})) {
    if (v === undefined || v === null || v === false) continue;
    if (k.startsWith("on")) e.addEventListener(k.slice(2), v);
    else if (k === "class") e.className += " " + v;
    else if (k in e && k !== "list" && k !== "role") e[k] = v;
    else e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false));
  return e;
}

/** Text that is changed only where it differs, so that a table of hundreds is cheap to keep current. */
export function setText(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

export function setAttr(e, name, value) {
  if (value === null) { if (e.hasAttribute(name)) e.removeAttribute(name); } else if (e.getAttribute(name) !== value) e.setAttribute(name, value);
}

const icons = {
  play: "M6.500 4.500v11l9-5.500z",
  stop: "M5.500 5.500h9v9h-9z",
  pause: "M6 4.500h2.700v11H6zM11.300 4.500H14v11h-2.700z",
  more: "M4.500 10h.01M10 10h.01M15.500 10h.01",
  back: "M12 4.500 6.500 10l5.500 5.500",
  restart: "M15.500 10a5.500 5.500 0 1 1-1.700-4M14 2.700V6h-3.300",
  kill: "M5 5l10 10M15 5 5 15",
  ok: "M4.500 10.500l3.500 3.500 7.500-8",
  bad: "M5.500 5.500l9 9M14.500 5.500l-9 9",
  info: "M10 5.500a4.500 4.500 0 1 0 .01 0zM10 9.900v.2",
  split: "M3 4h14v12H3zM10 4v12",
  full: "M4 8V4h4M16 8V4h-4M4 12v4h4M16 12v4h-4",
  plus: "M10 4.500v11M4.500 10h11",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", icons[name]);
  if (name === "play" || name === "stop" || name === "pause") path.setAttribute("class", "solid");
  svg.append(path);
  return svg;
}

/** Bytes as people read them: 36 MB is 35 MiB here. */
export function size(n) {
  if (!n) return "0";
  const units = ["B", "K", "M", "G", "T"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i++; }
  return (n >= 100 || i === 0 ? Math.round(n) : n.toFixed(1).replace(/\.0$/, "")) + units[i];
}

export function rate(n) {
  return n >= 1 ? size(n) + "/s" : "–";
}

/** How long something has been so. */
export function ago(time, now = Date.now()) {
  if (!time) return "";
  const s = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  if (s < 48 * 3600) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
}

/** Says something to a screen reader. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/** Shows that something failed, or has been done. */
export function toast(text, hint = "", kind = "bad") {
  const t = el("div.toast", { class: kind }, el("strong", {}, text), hint && el("span", {}, hint),
    el("button.icon", { type: "button", ariaLabel: "Close", onclick: () => t.remove() }, icon("kill")));
  document.getElementById("toasts").append(t);
  setTimeout(() => t.remove(), kind === "bad" ? 15000 : 5000);
}

/** Asks before something that cannot be undone. */
export function confirm(title, text, yes, danger = true) {
  const d = document.getElementById("dialog");
  return new Promise((resolve) => {
    const close = (v) => { d.close(); resolve(v); };
    d.replaceChildren(el("h2", { id: "dialog-title" }, title), el("p", {}, text),
      el("div.row.end", {}, el("button", { type: "button", autofocus: true, onclick: () => close(false) }, "Cancel"),
        el("button", { type: "button", class: danger ? "danger" : "primary", onclick: () => close(true) }, yes)));
    d.oncancel = () => resolve(false);
    d.showModal();
  });
}

/** Shows something in the dialog until it is closed. */
export function show(title, ...children) {
  const d = document.getElementById("dialog");
  d.replaceChildren(el("h2", { id: "dialog-title" }, title), ...children,
    el("div.row.end", {}, el("button", { type: "button", autofocus: true, onclick: () => d.close() }, "Close")));
  d.oncancel = null;
  d.showModal();
}
