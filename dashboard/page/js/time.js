// Moments are BigInt ns since the epoch, of the capture. Never this computer's clock; the zone is always said beside them.

const S = 1000000000n;
let formatter = null;
let zone = "UTC";

export const big = (text) => (text === null || text === undefined || text === "" ? null : BigInt(text));
export const zoneHere = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function useZone(name) {
  zone = "UTC";
  formatter = null;
  if (!name || name === "UTC") return;
  try {
    formatter = new Intl.DateTimeFormat("en-CA", { timeZone: name, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "shortOffset" });
    zone = name;
  } catch { /* A zone this browser does not know: UTC. */ }
}
export const zoneName = () => zone;

// [day, time of day, offset]
function fields(ns) {
  const date = new Date(Number(ns / S) * 1000);
  if (!formatter) {
    const iso = date.toISOString();
    return [iso.slice(0, 10), iso.slice(11, 19), "UTC"];
  }
  const found = {};
  for (const part of formatter.formatToParts(date)) found[part.type] = part.value;
  return [`${found.year}-${found.month}-${found.day}`, `${found.hour}:${found.minute}:${found.second}`, found.timeZoneName.replace("GMT", "UTC")];
}
const fraction = (ns, digits) => (digits ? `.${String(ns % S).padStart(9, "0").slice(0, digits)}` : "");

// 07:07:47.312 with as many digits of the second as asked for.
export const clock = (ns, digits = 3) => fields(ns)[1] + fraction(ns, digits);
export const day = (ns) => fields(ns)[0];
export const offset = (ns) => fields(ns)[2];
// With everything: 2026-03-02 07:07:47.312000123 UTC
export function full(ns, digits = 9) {
  const [date, time, zoneThen] = fields(ns);
  return `${date} ${time}${fraction(ns, digits)} ${zoneThen}`;
}

// Exact and for addresses: 2024-05-01T07:07:47.312000123Z
export function iso(ns) {
  return `${new Date(Number(ns / S) * 1000).toISOString().slice(0, 19)}.${String(ns % S).padStart(9, "0")}Z`;
}

export function parseMoment(text) {
  if (!text) return null;
  if (/^\d{1,19}$/.test(text)) return BigInt(text);
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text);
  if (!found) return null;
  const ms = Date.parse(`${found[1]}Z`);
  return Number.isNaN(ms) ? null : BigInt(ms) * 1000000n + BigInt((found[2] || "0").padEnd(9, "0"));
}

const UNITS = { us: 1000n, ms: 1000000n, s: S, m: 60n * S, h: 3600n * S, d: 86400n * S };
export function parseSpan(text) {
  const found = /^(\d{1,6})(us|ms|s|m|h|d)$/.exec(text || "");
  return found ? BigInt(found[1]) * UNITS[found[2]] : null;
}

// Digits of a second that a step of so many ns deserves.
export function digitsFor(stepNs) {
  if (!stepNs || stepNs >= 1e9) return 0;
  return Math.min(9, Math.ceil(-Math.log10(stepNs / 1e9)));
}
