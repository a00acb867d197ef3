// The small picture in a row: mean rate filled, worst 100 µs bin behind it, CE marks below, gaps as gaps.

import { css } from "./dom.js";

export function palette() {
  return { mean: css("--p99"), peak: css("--p90"), ce: css("--warning-fill"), idle: css("--edge"), hatch: css("--edge"), page: css("--panel") };
}

// `full` is the value at the top; `blind` are spans [0..1, 0..1] in which the mirror lost frames.
export function draw(canvas, row, full, colours, blind = []) {
  const scale = devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const to = canvas.getContext("2d");
  to.clearRect(0, 0, width, height);
  const foot = 4 * scale;
  const room = height - foot - scale;
  const steps = row.bps.length;
  if (!steps) return;
  const at = (i) => Math.round((i * width) / steps);
  const bar = (value, i, colour, alpha) => {
    const tall = value > 0 ? Math.max(scale, (Math.min(value / full, 1)) * room) : scale;
    to.globalAlpha = alpha;
    to.fillStyle = colour;
    to.fillRect(at(i), scale + room - tall, Math.max(1, at(i + 1) - at(i)), tall);
  };
  for (let i = 0; i < steps; i++) {
    const mean = row.bps[i];
    if (mean === null) {
      to.globalAlpha = 0.6;
      to.fillStyle = colours.idle;
      to.fillRect(at(i), Math.round(scale + room * 0.5), Math.max(1, at(i + 1) - at(i)), Math.max(1, scale * 0.75));
      continue;
    }
    const peak = row.max_bps_100us[i];
    if (peak !== null && peak !== undefined) bar(peak, i, colours.peak, 0.38);
    bar(mean, i, colours.mean, 1);
    const ce = row.ce_share[i];
    if (ce > 0) {
      to.globalAlpha = Math.min(1, 0.45 + ce * 5);
      to.fillStyle = colours.ce;
      to.fillRect(at(i), height - foot + scale, Math.max(1, at(i + 1) - at(i)), foot - scale);
    }
  }
  to.globalAlpha = 1;
  for (const [from, until] of blind) hatch(to, from * width, Math.max(2 * scale, (until - from) * width), height, colours, scale);
}

export function hatch(to, x, width, height, colours, scale, y = 0) {
  to.save();
  to.beginPath();
  to.rect(x, y, width, height);
  to.clip();
  to.globalAlpha = 0.85;
  to.strokeStyle = colours.hatch;
  to.lineWidth = scale;
  to.beginPath();
  for (let d = -height; d < width + height; d += 5 * scale) {
    to.moveTo(x + d, y + height);
    to.lineTo(x + d + height, y);
  }
  to.stroke();
  to.restore();
}
