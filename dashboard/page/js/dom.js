// Elements from data. Text is always a text node: what a packet said can never become markup.

export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function put(element, ...children) {
  element.replaceChildren(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Severity in shape and word, never colour alone.
const GLYPHS = { critical: "◆", warning: "▲", info: "●", ok: "✓", unknown: "?" };
export function glyph(level) {
  return h("span", { class: `glyph ${level}`, role: "img", "aria-label": level, title: level }, GLYPHS[level] || "?");
}

// A value that is missing, and why: not the same as a measured zero.
export function notObserved(why) {
  return h("span", { class: "none help", title: why, "aria-label": `not observed: ${why}` }, "–");
}
export function cannotKnow(why) {
  return h("span", { class: "none help", title: why, "aria-label": `cannot be known: ${why}` }, "?");
}
export function idle(why) {
  return h("span", { class: "idle", title: why }, "idle");
}

// Tells two things apart that arrive out of order.
export function failed(error, retry) {
  return h("div", { class: "failed", role: "alert" },
    h("strong", null, "This could not be loaded. "), error.message || String(error),
    error.requestId ? h("span", { class: "dimmer" }, ` (request ${error.requestId})`) : null, " ",
    retry ? h("button", { onclick: retry }, "Try again") : null);
}
