// The path is the page; the query is its state. A copied address shows the same thing.

import { iso, parseMoment, parseSpan } from "./time.js";

const listeners = new Set();
export const onChange = (listener) => listeners.add(listener);
const changed = () => listeners.forEach((listener) => listener());
addEventListener("popstate", changed);

export const query = () => new URLSearchParams(location.search);
export const get = (name) => query().get(name) || "";

function address(path, params) {
  const text = params.toString().replace(/%3A/g, ":");
  return path + (text ? `?${text}` : "");
}

export function set(values, { replace = false } = {}) {
  const next = query();
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") next.delete(name);
    else next.set(name, value);
  }
  const url = address(location.pathname, next);
  if (url === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  changed();
}

// Time and look go along from page to page; filters stay behind.
const KEPT = ["w", "from", "to", "tz", "lang", "theme"];
export function href(path, more = {}) {
  const now = query();
  const next = new URLSearchParams();
  for (const name of KEPT) if (now.has(name)) next.set(name, now.get(name));
  for (const [name, value] of Object.entries(more)) if (value) next.set(name, value);
  return address(path, next);
}

export const linkHref = (id, more) => href(`/links/${encodeURIComponent(id)}`, more);
export const findingHref = (id, more) => href(`/findings/${encodeURIComponent(id)}`, more);

export function go(url) {
  history.pushState(null, "", url);
  changed();
}

// Of a running sensor the last minutes are shown unless asked otherwise; of a capture all of it.
export const spanOf = (extent) => get("w") || (extent.mode === "live" ? "5m" : "all");

// The window: absolute (from, to), or the last stretch (w) of what is held. Null: nothing is held.
export function windowOf(extent) {
  if (!extent || extent.first === null) return null;
  const end = extent.last > extent.first ? extent.last : extent.first + 1n;
  const from = parseMoment(get("from"));
  const to = parseMoment(get("to"));
  if (from !== null && to !== null && from < to) return { from, to, fixed: true };
  const span = parseSpan(spanOf(extent));
  if (span !== null && end - span > extent.first) return { from: end - span, to: end, fixed: false };
  return { from: extent.first, to: end, fixed: false };
}

export const zoomTo = (from, to, options) => set({ from: iso(from), to: iso(to), w: "" }, options);
export const zoomReset = () => set({ from: "", to: "", w: "" });

// An address that shows the same window later, when more has come.
export function absoluteLink(window) {
  const next = query();
  next.delete("w");
  if (window) {
    next.set("from", iso(window.from));
    next.set("to", iso(window.to));
  }
  return location.origin + address(location.pathname, next);
}
