// The frame: pages, mode, counts, zone, language, look; and the time bar below it.

import { absoluteLink, href, set, spanOf, zoomReset, zoomTo } from "./state.js";
import { clock, day, digitsFor, offset, parseMoment, parseSpan, zoneHere, zoneName } from "./time.js";
import { copyButton, h, put, redraw } from "./dom.js";
import { count, duration } from "./format.js";
import { LANGS, lang, t } from "./i18n.js";
import { mode, session } from "./session.js";
import { now, silentSeconds } from "./live.js";
import { theme } from "./look.js";
import { showHelp } from "./keys.js";

const PAGES = [["/", "now"], ["/links", "links"], ["/jobs", "jobs"], ["/flows", "flows"], ["/qps", "qps"], ["/findings", "findings"], ["/sensor", "sensor"]];
const SPANS = ["1s", "10s", "1m", "5m", "15m", "1h", "6h", "1d"];
const DOTS = { live: "live", replay: "replay", reading: "live", stale: "stale", reconnecting: "gone", paused: "", history: "", stored: "", connecting: "" };

const here = (path) => (path === "/" ? location.pathname === "/" : location.pathname.startsWith(path));

export function drawBar(bar, actions) {
  redraw(bar, () => put(bar,
    h("a", { class: "brand", href: href("/"), "data-key": "brand" }, "fabricscope"),
    h("nav", { "aria-label": t("nav.label") }, PAGES.filter(([, name]) => name !== "jobs" || session.jobs > 0 || here("/jobs"))
      .map(([path, name]) => h("a", { href: href(path), "aria-current": here(path) ? "page" : null, "data-key": `nav-${name}` }, t(`nav.${name}`)))),
    h("span", { class: "grow" }),
    severities(),
    pill(actions),
    h("button", { "data-key": "lang", "aria-label": t("bar.lang"), onclick: () => set({ lang: lang() === "en" ? "zh" : "en" }) }, lang() === "en" ? LANGS.zh : LANGS.en),
    h("button", { "data-key": "theme", onclick: () => set({ theme: theme() === "dark" ? "light" : "dark" }) }, t(theme() === "dark" ? "bar.light" : "bar.dark")),
    h("button", { "data-key": "help", "aria-label": t("bar.help"), title: t("bar.help"), onclick: showHelp }, "?")));
}

function severities() {
  const counts = session.counts;
  if (!counts) return null;
  const one = (level, mark) => h("a", { class: `count ${counts[level] ? level : ""}`, href: href("/findings", { severity: level }), "data-key": `count-${level}`,
    "aria-label": t(`bar.${level}`, { n: counts[level] }), title: t(`bar.${level}`, { n: counts[level] }) },
  h("span", { class: `glyph ${counts[level] ? level : "none"}`, "aria-hidden": "true" }, mark), " ", count(counts[level]));
  return h("span", { class: "counts" }, one("critical", "◆"), one("warning", "▲"));
}

export function pillText() {
  const is = mode();
  if (is === "stale") return t("mode.stale", { seconds: Math.floor(silentSeconds()) });
  return t(`mode.${is}`);
}

function pill(actions) {
  const is = mode();
  const frames = now.tick && is === "reading" ? ` · ${clock(BigInt(now.tick.end_ns), 0)}` : "";
  return h("button", { class: "pill", id: "mode", "data-key": "mode", "data-mode": is, title: t(`mode.${is}.why`), onclick: actions.pauseOrLive },
    h("span", { class: `dot ${DOTS[is]}`, "aria-hidden": "true" }), pillText(), frames);
}

export function drawTimeBar(bar) {
  bar.setAttribute("aria-label", t("time.label"));
  redraw(bar, () => put(bar, session.window ? timeBar(session.window, session.extent) : h("span", { class: "dim" }, t("time.nothing"))));
}

function timeBar(window, extent) {
  const held = extent.last - extent.first;
  const length = window.to - window.from;
  const spans = SPANS.filter((span) => parseSpan(span) < held);
  const chosen = window.fixed ? "" : spanOf(extent);
  const preset = (span) => h("button", { "aria-pressed": String(chosen === span), "data-key": `w-${span}`, onclick: () => set({ w: span, from: "", to: "" }) }, span);
  return [
    h("span", { class: "group", role: "group", "aria-label": t("time.presets") },
      h("button", { "aria-pressed": String(!window.fixed && !spans.includes(chosen)), "data-key": "w-all", onclick: () => set({ w: extent.mode === "live" ? "all" : "", from: "", to: "" }) }, t("time.whole")), spans.map(preset)),
    h("span", { class: "group", role: "group", "aria-label": t("time.move") },
      h("button", { title: `${t("time.back")} [`, "aria-label": t("time.back"), "data-key": "back", onclick: () => shift(-1) }, "◂"),
      h("button", { title: `${t("time.forth")} ]`, "aria-label": t("time.forth"), "data-key": "forth", onclick: () => shift(1) }, "▸"),
      h("button", { title: `${t("time.in")} +`, "aria-label": t("time.in"), "data-key": "in", onclick: () => zoom(0.5) }, "+"),
      h("button", { title: `${t("time.out")} −`, "aria-label": t("time.out"), "data-key": "out", onclick: () => zoom(2) }, "−")),
    h("span", { class: "moment", id: "window" }, h("span", { class: "dim" }, day(window.from)), " ", exact("from", window, length), " – ", exact("to", window, length), " ", zone(window)),
    h("span", { class: "dim nowrap" }, duration(length)),
    h("span", { class: "grow" }),
    copyButton(t("time.copy"), () => absoluteLink(window), "copy-link"),
  ];
}

// A moment to read and to change: type a time of the same day, or a whole ISO moment.
function exact(name, window, length) {
  const shown = clock(window[name], Math.max(length < 10000000000n ? 6 : 3, digitsFor(Number(length) / 1000)));
  return h("input", { class: "exact", id: `t-${name}`, "data-key": `t-${name}`, "aria-label": t(`time.${name}`), value: shown, style: { width: `${shown.length + 1}ch` }, spellcheck: "false", onchange: (event) => {
    const typed = event.target.value.trim();
    const base = zoneName() === "UTC" && /^\d\d:\d\d:\d\d(\.\d{1,9})?$/.test(typed) ? `${day(window[name])}T${typed}Z` : typed;
    const moment = parseMoment(base);
    const next = { ...window, [name]: moment };
    if (moment === null || next.from >= next.to) {
      event.target.setAttribute("aria-invalid", "true");
      event.target.title = t("time.invalid");
    } else zoomTo(next.from, next.to);
  } });
}

function zone(window) {
  const local = zoneHere();
  const is = zoneName();
  return h("button", { class: "quiet", "data-key": "zone", title: t("time.zone"), onclick: () => set({ tz: is === "UTC" && local !== "UTC" ? local : "" }) },
    is === "UTC" ? "UTC" : `${is} (${offset(window.from)})`);
}

export function shift(direction) {
  const { window } = session;
  if (!window) return;
  const step = ((window.to - window.from) / 2n) * BigInt(direction);
  zoomTo(window.from + step, window.to + step);
}

export function zoom(factor) {
  const { window, extent } = session;
  if (!window) return;
  const length = window.to - window.from;
  const half = factor < 1 ? length / 4n : length;
  const middle = window.from + length / 2n;
  if (half < 500n) return;
  const [from, to] = [middle - half, middle + half];
  if (factor > 1 && from <= extent.first && to >= extent.last) zoomReset();
  else zoomTo(from < extent.first ? extent.first : from, to > extent.last ? extent.last : to);
}
