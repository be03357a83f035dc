// The JSON API of skep serve: docs/api.md.

export class Refused extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.hint = error.hint ?? "";
  }
}

async function request(method, path, body) {
  let r;
  try {
    r = await fetch("/api/v1" + path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused(0, { message: "skep serve cannot be reached" });
  }
  if (r.ok) return r;
  let error = { message: r.status + " " + r.statusText };
  try { error = (await r.json()).error ?? error; } catch { /* not JSON: the status says it */ }
  throw new Refused(r.status, error);
}

export const get = async (path) => (await request("GET", path)).json();
export const text = async (path) => (await request("GET", path)).text();
export const post = async (path, body) => (await request("POST", path, body)).json();
export const put = async (path, body) => (await request("PUT", path, body)).json();
export const remove = async (path) => (await request("DELETE", path)).json();

export const cellPath = (name) => "/cells/" + encodeURIComponent(name);

export function socket(path) {
  const url = new URL("/api/v1" + path, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
}

/** Calls take with the list of cells each time that it is another one, with null where it is the same, and state with whether it is connected. */
export function follow(take, state) {
  const source = new EventSource("/api/v1/changes");
  source.addEventListener("cells", (e) => { state(true); take(JSON.parse(e.data).cells); });
  source.addEventListener("same", () => { state(true); take(null); });
  source.onopen = () => state(true);
  source.onerror = () => {
    state(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(take, state), 3000);
  };
}
