// The path is the page; the query is its state. A copied address shows the same thing.

import { parseMoment, parseSpan } from "./time.js";

const listeners = new Set();
export const onChange = (listener) => listeners.add(listener);
const changed = () => listeners.forEach((listener) => listener());
addEventListener("popstate", changed);

export const query = () => new URLSearchParams(location.search);
export const get = (name) => query().get(name) || "";

export function set(values, { replace = false } = {}) {
  const next = query();
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  const url = location.pathname + (text ? `?${text}` : "");
  if (url === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  changed();
}

// Time and look go along from page to page; filters stay behind.
const KEPT = ["w", "from", "to", "theme"];
export function href(path, more = {}) {
  const now = query();
  const next = new URLSearchParams();
  for (const name of KEPT) if (now.has(name)) next.set(name, now.get(name));
  for (const [name, value] of Object.entries(more)) if (value) next.set(name, value);
  const text = next.toString();
  return path + (text ? `?${text}` : "");
}

export function go(url) {
  history.pushState(null, "", url);
  changed();
}

// The window: absolute (from, to), or the last stretch (w) of what is held. Null: nothing is held.
export function windowOf(extent) {
  if (!extent || extent.first === null) return null;
  const end = extent.last + 1n;
  const from = parseMoment(get("from"));
  const to = parseMoment(get("to"));
  if (from !== null && to !== null && from < to) return { from, to, fixed: true };
  const span = parseSpan(get("w"));
  if (span !== null && end - span > extent.first) return { from: end - span, to: end, fixed: false };
  return { from: extent.first, to: end, fixed: false };
}
