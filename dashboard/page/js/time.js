// Moments are BigInt ns since the epoch, of the capture, in UTC. Never this computer's clock.

const S = 1000000000n;

export const big = (text) => (text === null || text === undefined || text === "" ? null : BigInt(text));

function parts(ns) {
  const seconds = ns / S;
  return [new Date(Number(seconds) * 1000).toISOString(), String(ns % S).padStart(9, "0")];
}

// 07:07:47.312 with as many digits of the second as asked for.
export function clock(ns, digits = 3) {
  const [iso, fraction] = parts(ns);
  return iso.slice(11, 19) + (digits ? `.${fraction.slice(0, digits)}` : "");
}

export function day(ns) {
  return parts(ns)[0].slice(0, 10);
}

// Exact: 2024-05-01T07:07:47.312000123Z
export function iso(ns) {
  const [text, fraction] = parts(ns);
  return `${text.slice(0, 19)}.${fraction}Z`;
}

export function parseMoment(text) {
  if (!text) return null;
  if (/^\d{1,20}$/.test(text)) return BigInt(text);
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
  if (stepNs >= 1e9) return 0;
  return Math.min(9, Math.ceil(-Math.log10(stepNs / 1e9)));
}
