// Keys for everything. They do nothing while text is typed, and can be switched off.

import { go, href, set, zoomReset } from "./state.js";
import { h } from "./dom.js";
import { lang, remember, remembered, t } from "./i18n.js";
import { shift, zoom } from "./bar.js";
import { theme } from "./look.js";

const GOES = { n: "/", l: "/links", j: "/jobs", f: "/flows", q: "/qps", i: "/findings", s: "/sensor" };
let waiting = false;

const typing = (target) => target.matches && target.matches("input, select, textarea, [contenteditable]");
export const keysOn = () => remembered("keys") !== "off";

export function listen(actions) {
  const plain = {
    "/": () => { const field = document.querySelector("main input[type=search]"); if (field) field.focus(); },
    "?": showHelp,
    "[": () => shift(-1),
    "]": () => shift(1),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    "0": zoomReset,
    " ": actions.pauseOrLive,
    L: actions.toLive,
    r: actions.refresh,
    t: () => set({ theme: theme() === "dark" ? "light" : "dark" }),
    T: () => set({ lang: lang() === "en" ? "zh" : "en" }),
    j: () => row(1),
    k: () => row(-1),
    u: () => { const up = document.querySelector("main a[data-up]"); if (up) up.click(); },
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && typing(event.target)) event.target.blur();
    if (!keysOn() || typing(event.target)) return;
    if (waiting) {
      waiting = false;
      if (GOES[event.key]) {
        event.preventDefault();
        go(href(GOES[event.key]));
      }
      return;
    }
    if (event.key === "g") {
      waiting = true;
      setTimeout(() => { waiting = false; }, 1500);
      return;
    }
    if (event.key === " " && event.target.matches("button, a, summary, th")) return;
    const act = plain[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

// Rows are moved through with j and k (or the arrows on a row); Enter opens.
export function row(by) {
  const rows = [...document.querySelectorAll("main tr[data-go]")].filter((one) => one.offsetParent !== null);
  if (!rows.length) return;
  const at = rows.indexOf(document.activeElement.closest("tr[data-go]"));
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

const SHOWN = [["g n", "now"], ["g l", "links"], ["g j", "jobs"], ["g f", "flows"], ["g q", "qps"], ["g i", "findings"], ["g s", "sensor"], ["/", "search"], ["j k ↵", "rows"], ["u", "up"],
  ["[ ]", "shift"], ["+ −", "zoom"], ["0", "reset"], ["␣", "pause"], ["L", "live"], ["r", "refresh"], ["← → ⇧", "cursor"], ["t", "theme"], ["T", "lang"], ["?", "help"]];

export function showHelp() {
  const box = h("input", { type: "checkbox", id: "keys-on", onchange: (event) => remember("keys", event.target.checked ? "on" : "off") });
  box.checked = keysOn();
  const dialog = h("dialog", { "aria-labelledby": "help-title", onclose: () => dialog.remove() },
    h("h2", { id: "help-title" }, t("help.title")),
    h("dl", { class: "keys" }, SHOWN.map(([key, what]) => h("div", null, h("dt", null, key.split(" ").map((one) => h("kbd", null, one))), h("dd", null, t(`key.${what}`))))),
    h("p", null, h("label", { for: "keys-on" }, box, " ", t("help.keys_on"))),
    h("p", { class: "small" }, h("a", { href: "/api/v1/openapi.json" }, t("help.api")), " · ", h("a", { href: "/metrics" }, t("help.metrics")), " · ", h("a", { href: "/api/v1/report" }, t("help.report"))),
    h("form", { method: "dialog" }, h("button", null, t("help.close"))));
  document.body.append(dialog);
  dialog.showModal();
}
