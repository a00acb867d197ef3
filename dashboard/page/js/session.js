// What is held, who answers, and in which mode this page is.

import { ask } from "./api.js";
import { now, silentSeconds } from "./live.js";
import { big } from "./time.js";
import { windowOf } from "./state.js";

// Silence of a live sensor that is more than a late tick.
const STALE_SECONDS = 3;

export const session = { extent: null, sensor: null, window: null, paused: false, jobs: 0, counts: null, step: null };

export async function learn(signal) {
  const extent = await ask("extent", {}, signal);
  session.extent = { ...extent, first: big(extent.first_ns), last: big(extent.last_ns) };
  if (!session.sensor) session.sensor = (await ask("sensor", {}, signal)).sensor;
  if (!session.paused || !session.window) session.window = windowOf(session.extent);
}

// live, paused, history, replay, reading, stale, reconnecting, stored, connecting
export function mode() {
  const { extent } = session;
  if (!extent) return "connecting";
  if (!extent.analysis_here) return "stored";
  if (now.state === "lost") return "reconnecting";
  if (extent.mode === "replay") return now.tick && !now.tick.ended ? "reading" : "replay";
  const silent = silentSeconds();
  if (silent !== null && silent > STALE_SECONDS && !(now.tick && now.tick.ended)) return "stale";
  if (session.paused) return "paused";
  return session.window && session.window.fixed ? "history" : "live";
}

// Whether new ticks change what is shown.
export const follows = () => !session.paused && !(session.window && session.window.fixed);
