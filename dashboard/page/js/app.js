// Starts the page, follows the address and the stream, and shows one page at a time.

import { applyLook } from "./look.js";
import { ask, inWindow } from "./api.js";
import { connect, now, onLive } from "./live.js";
import { drawBar, drawTimeBar } from "./bar.js";
import { follows, learn, mode, session } from "./session.js";
import { get, go, onChange, windowOf, zoomReset } from "./state.js";
import { failed, h, put, redraw } from "./dom.js";
import { lang, remember, speak, t, wantedLang } from "./i18n.js";
import { listen } from "./keys.js";
import { useZone } from "./time.js";

const ROUTES = [
  [/^\/$/, "now"], [/^\/links$/, "links"], [/^\/links\/(.+)$/, "link"], [/^\/jobs(?:\/(.+))?$/, "jobs"], [/^\/flows$/, "flows"],
  [/^\/qps$/, "qps"], [/^\/findings$/, "findings"], [/^\/findings\/(.+)$/, "finding"], [/^\/sensor$/, "sensor"],
];
// Data at ten a second is asked for at most once in so many ms, and less often where answers take long.
const ASK_EVERY_MS = 1000;
const COUNT_EVERY_MS = 3000;

const bar = document.getElementById("bar");
const timeBar = document.getElementById("timebar");
const main = document.getElementById("main");
let running = null;
let shown = "";
let asked = 0;
let took = 0;
let due = null;

function route() {
  for (const [pattern, name] of ROUTES) {
    const found = pattern.exec(location.pathname);
    if (found) return { name, id: found[1] === undefined ? "" : decodeURIComponent(found[1]) };
  }
  return { name: "now", id: "" };
}

function frame() {
  drawBar(bar, actions);
  drawTimeBar(timeBar);
  document.documentElement.classList.toggle("stale", mode() === "stale" || mode() === "reconnecting");
}

async function show() {
  if (running) running.abort();
  running = new AbortController();
  const { signal } = running;
  const { name, id } = route();
  const began = performance.now();
  asked = began;
  main.setAttribute("aria-busy", "true");
  try {
    const [page] = await Promise.all([import(`./pages/${name}.js`), learn(signal)]);
    const context = { id, window: session.window, extent: session.extent, signal, refresh: show };
    const [data] = await Promise.all([session.window || page.needsNothing ? page.load(context) : null, learnCounts(signal)]);
    if (signal.aborted) return;
    took = performance.now() - began;
    document.title = `${page.title(context, data)} · fabricscope`;
    frame();
    const fresh = shown !== location.pathname;
    redraw(main, () => (data === null ? put(main, nothingYet()) : page.draw(main, data, context)));
    if (fresh) scrollTo(0, 0);
    shown = location.pathname;
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    frame();
    // What was there stays, said to be old, unless it was another page.
    const keep = shown === location.pathname ? [...main.children].filter((child) => !child.matches(".failed")) : [];
    redraw(main, () => put(main, failed(error, show), keep));
    shown = location.pathname;
  } finally {
    if (!signal.aborted) {
      main.removeAttribute("aria-busy");
      document.documentElement.dataset.ready = "1";
    }
  }
}

// What stands in the frame need not be as fresh as what stands in the page.
let counted = { at: -Infinity, of: "" };
async function learnCounts(signal) {
  if (!session.window) return;
  const of = follows() ? "newest" : `${session.window.from} ${session.window.to}`;
  if (of === counted.of && performance.now() - counted.at < COUNT_EVERY_MS) return;
  counted = { at: performance.now(), of };
  const [findings, jobs] = await Promise.all([ask("findings", { ...inWindow(session.window), limit: 1 }, signal), ask("jobs", {}, signal)]);
  session.counts = findings.counts || { critical: 0, warning: 0, info: 0 };
  session.jobs = jobs.rows.length;
}

// The first minute: each line says what is missing and what to do.
function nothingYet() {
  const { extent } = session;
  const line = (done, key) => h("li", null, h("span", { class: `glyph ${done ? "ok" : "unknown"}`, "aria-hidden": "true" }, done ? "✓" : "…"), " ", t(key));
  return h("section", { class: "panel first" }, h("h1", null, t("first.title")),
    h("ul", null,
      line(true, "first.answers"),
      line(extent.analysis_here, extent.analysis_here ? "first.analysis" : "first.no_analysis"),
      line(Boolean(now.tick), now.tick ? "first.frames" : "first.no_frames"),
      line(false, "first.no_data")));
}

// At most one refresh in flight, and none sooner than what the last one cost allows.
function refreshSoon() {
  if (due || !follows()) return;
  const wait = Math.max(0, asked + Math.max(ASK_EVERY_MS, took * 4) - performance.now());
  due = setTimeout(() => {
    due = null;
    if (follows() && !document.hidden) show();
  }, wait);
}

const actions = {
  pauseOrLive() {
    if (session.window && session.window.fixed) return actions.toLive();
    session.paused = !session.paused;
    if (session.paused) return frame();
    return show();
  },
  toLive() {
    session.paused = false;
    if (get("from") || get("to")) zoomReset();
    else show();
  },
  refresh: () => show(),
};

async function changed() {
  useZone(get("tz"));
  const wanted = wantedLang();
  if (wanted !== lang() || !document.documentElement.dataset.spoken) {
    await speak(wanted);
    document.documentElement.dataset.spoken = wanted;
  }
  if (get("lang")) remember("lang", wanted);
  applyLook();
  if (session.extent) session.window = windowOf(session.extent);
  counted.of = "";
  frame();
  await show();
}

// Links inside the page change the address without loading it anew.
document.addEventListener("click", (event) => {
  const link = event.target.closest && event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || link.hasAttribute("download")) return;
  const url = new URL(link.href, location.href);
  if (url.origin !== location.origin || url.pathname.startsWith("/api/") || url.pathname === "/metrics" || url.hash) return;
  event.preventDefault();
  go(url.pathname + url.search);
});

listen(actions);
onChange(changed);
onLive((message) => {
  if (message.tick || message.state === "open") refreshSoon();
  // The end of a replay is shown even where a refresh has just begun.
  if (message.tick && message.tick.ended) {
    counted.of = "";
    setTimeout(refreshSoon, ASK_EVERY_MS);
  }
});
// The pill tells of a silence while nothing else happens; at most four times a second.
let pillWas = "";
setInterval(() => {
  const is = `${mode()} ${now.tick && mode() === "reading" ? now.tick.sequence : ""} ${mode() === "stale" ? performance.now() / 1000 | 0 : ""}`;
  if (is !== pillWas && session.extent) frame();
  pillWas = is;
}, 250);
matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => { if (applyLook()) changed(); });

connect();
await changed();
