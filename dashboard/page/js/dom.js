// Elements from data. Text is always a text node: what a packet said can never become markup.

import { t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const wanted = (child) => child !== null && child !== undefined && child !== false;

export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (!wanted(value)) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(5).filter(wanted));
  return element;
}

export function put(element, ...children) {
  element.replaceChildren(...children.flat(5).filter(wanted));
  return element;
}

// New content in the place of old keeps what the reader was doing: focus, selection, half-typed text, opened details.
export function redraw(element, draw) {
  const had = document.activeElement;
  const key = had && element.contains(had) ? had.dataset.key : undefined;
  const typing = key && had.tagName === "INPUT" ? { value: had.value, start: had.selectionStart, end: had.selectionEnd } : null;
  const open = new Set([...element.querySelectorAll("details[open][data-key]")].map((one) => one.dataset.key));
  draw();
  for (const one of element.querySelectorAll("details[data-key]")) if (open.has(one.dataset.key)) one.open = true;
  if (!key) return;
  const now = [...element.querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
  if (!now) return;
  if (typing) {
    now.value = typing.value;
    now.setSelectionRange(typing.start, typing.end);
  }
  now.focus({ preventScroll: true });
}

export function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Severity in shape and word, never colour alone.
const GLYPHS = { critical: "◆", warning: "▲", info: "●", ok: "✓", unknown: "?" };
export function glyph(level, shown = false) {
  return h("span", { class: `glyph ${level}`, role: "img", "aria-label": t(`level.${level}`), title: t(`level.${level}`) },
    GLYPHS[level] || "?", shown ? ` ${t(`level.${level}`)}` : null);
}

// A value that is missing, and why: none of these is a measured zero.
const missing = (mark, kind) => (why) =>
  h("span", { class: "none help", title: `${t(`state.${kind}`)}: ${why}`, "aria-label": `${t(`state.${kind}`)}: ${why}`, role: "img" }, mark);
export const notObserved = missing("–", "not_observed");
export const cannotKnow = missing("?", "unknown");
export const idle = (why) => h("span", { class: "idle help", title: why }, t("state.idle"));

export function failed(error, retry) {
  const what = error.key ? t(error.key, error.args) : error.message || String(error);
  return h("div", { class: "failed", role: "alert" },
    h("strong", null, t("failed.title")), " ", what,
    error.requestId ? h("span", { class: "dimmer" }, ` (${t("failed.request", { id: error.requestId })})`) : null, " ",
    retry ? h("button", { onclick: retry, "data-key": "retry" }, t("failed.retry")) : null);
}

export const panel = (title, side, ...body) => section("h2", title, side, body);
// The one that gives its page the name.
export const mainPanel = (title, side, ...body) => section("h1", title, side, body);

function section(heading, title, side, body) {
  return h("section", { class: "panel" },
    h("header", null, h(heading, null, title), side ? h("div", { class: "grow small dim" }, side) : null), body);
}

export const facts = (pairs) =>
  h("dl", { class: "facts" }, pairs.filter(wanted).map(([name, value, title]) => h("div", { title }, h("dt", null, name), h("dd", null, value))));

// Copies where the browser allows it, and by selection where the page is not on a secure origin.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { class: "offscreen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export function copyButton(label, text, key) {
  const button = h("button", { "data-key": key, onclick: async () => {
    const done = await copy(typeof text === "function" ? text() : text);
    button.textContent = done ? t("copy.done") : t("copy.failed");
    setTimeout(() => { button.textContent = label; }, 1500);
  } }, label);
  return button;
}

export function download(name, type, text) {
  const link = h("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
