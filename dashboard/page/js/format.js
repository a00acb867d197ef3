// Numbers for people: three significant figures, one unit. Rates in bits, totals in bytes, messages in KiB.

import { has, t } from "./i18n.js";

const RATE = [[1e12, "Tb/s"], [1e9, "Gb/s"], [1e6, "Mb/s"], [1e3, "kb/s"], [1, "b/s"]];
const BYTES = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]];
const MESSAGE = [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]];
const TIME = [[86400e9, "d"], [3600e9, "h"], [60e9, "min"], [1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
const THIN = "\u202f";

const grouped = (n) => n.toLocaleString("en-US");

export function three(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 999.5) return grouped(Math.round(value));
  const digits = Math.max(0, 2 - Math.floor(Math.log10(size)));
  const text = value.toFixed(Math.min(digits, 6));
  return text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
}

function scaled(value, units) {
  if (value === 0) return `0 ${units[units.length - 1][1]}`;
  const [unit, name] = units.find(([unit]) => Math.abs(value) >= unit * 0.9995) || units[units.length - 1];
  return `${three(value / unit)} ${name}`;
}

export const rate = (bps) => scaled(bps, RATE);
export const bytes = (count) => scaled(count, BYTES);
export const message = (count) => scaled(count, MESSAGE);
export const duration = (ns) => scaled(Number(ns), TIME);
export const count = (n) => grouped(Math.round(n));

// A share: percent, or ppm where percent would be all zeros.
export function share(value) {
  if (value === 0) return `0${THIN}%`;
  if (Math.abs(value) < 0.0001) return `${three(value * 1e6)}${THIN}ppm`;
  return `${three(value * 100)}${THIN}%`;
}

// A named number of evidence: its unit stands in its name, before what it is an extreme or quantile of (rtt_ns_p99).
export function named(name, value) {
  if (/_ns(_|$)/.test(name)) return duration(value);
  if (/_bps(_|$)/.test(name)) return rate(value);
  if (/(^|_)bytes(_|$)/.test(name)) return bytes(value);
  if (/(^|_)(share|ratio)(_|$)/.test(name)) return value <= 1 ? share(value) : `${three(value)}×`;
  if (/_percent$/.test(name)) return `${three(value)}${THIN}%`;
  return three(value);
}

// A finding's value with its unit, as the detector gave it.
export function measured(value, unit) {
  switch (unit) {
    case "ns": return duration(value);
    case "ms": return duration(value * 1e6);
    case "bit/s": case "bps": return rate(value);
    case "share": case "ratio": return value <= 1 ? share(value) : `${three(value)}×`;
    case "B": case "bytes": return bytes(value);
    default: return unit ? counted(value, unit) : three(value);
  }
}

function counted(value, unit) {
  const word = has(`unit.${unit}`) ? t(`unit.${unit}`) : value === 1 ? unit.replace(/s$/, "") : unit;
  return `${three(value)} ${word}`;
}
