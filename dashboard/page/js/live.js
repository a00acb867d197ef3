// What the stream says, and how long it has been silent. A silence is measured with this browser's own stopwatch, never its clock.

let port = null;
let heard = null;
export const now = { state: "connecting", tick: null };
const listeners = new Set();
export const onLive = (listener) => listeners.add(listener);

function take({ data }) {
  if (data.state) now.state = data.state;
  if (data.tick) {
    now.tick = data.tick;
    heard = performance.now();
  }
  listeners.forEach((listener) => listener(data));
}

export async function connect() {
  if (typeof SharedWorker === "function") {
    port = new SharedWorker("/assets/js/live-worker.js", { type: "module", name: "fabricscope" }).port;
    port.onmessage = take;
  } else {
    const channel = new MessageChannel();
    port = channel.port1;
    port.onmessage = take;
    (await import("./live-worker.js")).join(channel.port2);
  }
  addEventListener("pagehide", () => port.postMessage("bye"));
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

export const silentSeconds = () => (heard === null ? null : (performance.now() - heard) / 1000);
