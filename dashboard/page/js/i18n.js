// Words by meaning: t("key", {argument}). Keys are flat; a key with a count has `.one` and `.other`. Identifiers stay as they are.

import { get } from "./state.js";

let words = {};
let current = "en";
export const LANGS = { en: "English", zh: "中文" };

// The address first, then what was chosen before, then the browser's.
export function wantedLang() {
  const asked = get("lang") || remembered("lang") || (navigator.language || "en").slice(0, 2);
  return LANGS[asked] ? asked : "en";
}

export async function speak(lang) {
  words = (await import(`./lang/${lang}.js`)).default;
  current = lang;
  document.documentElement.lang = lang === "zh" ? "zh-Hans" : "en";
}

export const lang = () => current;
export const has = (key) => Object.hasOwn(words, key);

export function t(key, args) {
  let text = words[key];
  if (args && args.n !== undefined && text === undefined) text = words[`${key}.${current === "en" && String(args.n) === "1" ? "one" : "other"}`];
  if (text === undefined) return key;
  return args ? text.replace(/\{(\w+)\}/g, (whole, name) => (args[name] === undefined ? whole : String(args[name]))) : text;
}

// A sentence whose parts are elements: "{subject} is slow" with subject an <a>.
export function parts(key, args) {
  const text = words[key] === undefined ? key : words[key];
  return text.split(/(\{\w+\})/).map((piece) => {
    const name = /^\{(\w+)\}$/.exec(piece);
    return name && args[name[1]] !== undefined ? args[name[1]] : piece;
  });
}

export function remembered(name) {
  try { return localStorage.getItem(`fabricscope.${name}`) || ""; } catch { return ""; }
}
export function remember(name, value) {
  try { localStorage.setItem(`fabricscope.${name}`, value); } catch { /* Without storage the address still holds it. */ }
}
