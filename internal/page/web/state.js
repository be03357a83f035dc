// What the page knows: the cells, what they use, and who looks.
import { follow, get } from "./api.js";

export const known = { me: null, cells: [], byName: new Map(), connected: false };
const listeners = new Set();

/** Calls f now and after each change, until the returned function is called. */
export function watch(f) {
  listeners.add(f);
  f();
  return () => listeners.delete(f);
}

const before = new Map(); // what a cell had used, and when

function rates(cell, now) {
  const was = before.get(cell.name);
  if (!cell.use) { before.delete(cell.name); return null; }
  if (!was || was.pid !== cell.pid || now - was.at > 20000) {
    before.set(cell.name, { use: cell.use, at: now, pid: cell.pid, rates: null });
    return null;
  }
  const s = (now - was.at) / 1000;
  if (s < 0.5) return was.rates;
  const per = (k) => Math.max(0, (cell.use[k] - was.use[k]) / s);
  const r = {
    cpu: per("cpu_seconds"), disk: per("disk_read_bytes") + per("disk_written_bytes"),
    net: per("network_received_bytes") + per("network_sent_bytes"),
  };
  before.set(cell.name, { use: cell.use, at: now, pid: cell.pid, rates: r });
  return r;
}

function take(next) {
  const cells = next ?? known.cells;
  const now = Date.now();
  known.came = performance.now();
  for (const c of cells) c.rates = rates(c, now);
  known.cells = cells;
  known.byName = new Map(cells.map((c) => [c.name, c]));
  for (const f of listeners) f();
}

export async function begin() {
  known.me = await get("");
  follow(take, (connected) => {
    if (known.connected === connected) return;
    known.connected = connected;
    for (const f of listeners) f();
  });
}

/** Whether whoever looks at this page may do all; or with a cell and a right, what the cell's access block gives. */
export const mayAct = (name, right) => known.me?.may === "all" || !!(right && known.byName.get(name)?.may?.includes(right));

/** How a state looks: good, bad, busy or off. */
export function tone(cell) {
  switch (cell.state) {
    case "running": return cell.suspended ? "busy" : "good";
    case "starting": case "stopping": case "paused": return "busy";
    case "crashed": case "held": case "unknown": return "bad";
  }
  return cell.file_error ? "bad" : "off";
}

/** The state in a word, as skep ps says it. */
export function stateWord(cell) {
  if (cell.suspended && cell.state === "running") return "paused";
  return cell.file_error && cell.state === "stopped" ? "invalid" : cell.state;
}

export const runs = (cell) => ["running", "paused", "starting", "stopping"].includes(cell.state);
