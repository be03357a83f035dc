// What can be done to a cell.
import { cellPath, post } from "./api.js";
import { confirm, say, toast } from "./dom.js";

const done = { start: "started", stop: "stopped", kill: "killed", restart: "restarted", pause: "paused", resume: "resumed" };
export const pending = new Map(); // cell to what is being done

const sure = {
  kill: ["Kill", "As if its plug were pulled. What the guest has not written is lost."],
};

export async function act(name, verb) {
  if (pending.has(name)) return;
  if (sure[verb] && !(await confirm(`${sure[verb][0]} ${name}?`, sure[verb][1], sure[verb][0]))) return;
  pending.set(name, verb);
  document.dispatchEvent(new Event("pending"));
  say(`${verb} ${name}`);
  try {
    await post(`${cellPath(name)}/${verb}`);
    say(`${name} is ${done[verb]}`);
  } catch (e) {
    toast(e.message, e.hint);
  } finally {
    pending.delete(name);
    document.dispatchEvent(new Event("pending"));
  }
}
