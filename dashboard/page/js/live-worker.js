// One stream from the sensor for every tab of this browser: HTTP/1.1 gives a browser six connections in all.

const ports = new Set();
let source = null;
let after = null;
let last = null;
let wait = 1000;
let state = "connecting";

const tell = (message) => ports.forEach((port) => port.postMessage(message));

function say(next) {
  state = next;
  tell({ state });
}

function open() {
  source = new EventSource(after === null ? "/api/v1/live" : `/api/v1/live?after=${after}`);
  source.onopen = () => {
    wait = 1000;
    say("open");
  };
  source.addEventListener("tick", (event) => {
    last = JSON.parse(event.data);
    after = last.sequence;
    tell({ tick: last });
  });
  // A lost connection reopens by itself, but from the old address; after a 503 it stays closed. Open anew in both cases.
  source.onerror = () => {
    source.close();
    if (state !== "absent") say("lost");
    setTimeout(again, wait);
    wait = Math.min(wait * 2, 10000);
  };
}

// An EventSource does not say why it failed. Without an analysis there will never be a stream; after a restart, ticks begin anew.
async function again() {
  try {
    const answer = await fetch("/api/v1/extent");
    const extent = await answer.json();
    if (answer.ok && !extent.analysis_here) {
      say("absent");
      return;
    }
    if (answer.ok) after = null;
  } catch { /* Not there: the next attempt tells. */ }
  open();
}

export function join(port) {
  ports.add(port);
  port.onmessage = (event) => {
    if (event.data === "bye") ports.delete(port);
  };
  port.postMessage({ state });
  if (last) port.postMessage({ tick: last });
  if (!source) open();
}

self.onconnect = (event) => join(event.ports[0]);
