// The cells of a link over time: deviation or load as colour, mean rate and worst 100 µs bin as a line, CE marks, findings,
// and the states that must not look alike: measured zero, idle, not observed, partly observed.

import { css } from "./dom.js";

// Bars are grey, so that only what is unusual has colour.
// A deviation under this many robust standard deviations is how links are.
export const DEVIATES = 5;

// Cividis (Nuñez et al. 2018), eleven of its colours: the same order to every kind of colour vision.
const CIVIDIS = [[0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115], [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56]];

export function cividis(share) {
  const at = Math.min(0.9999, Math.max(0, share)) * (CIVIDIS.length - 1);
  const [low, high] = [CIVIDIS[Math.floor(at)], CIVIDIS[Math.ceil(at)]];
  return `rgb(${low.map((c, i) => Math.round(c + (high[i] - c) * (at % 1))).join(",")})`;
}

export function palette() {
  return {
    mean: css("--bar"), ce: css("--ce"), idle: css("--edge"), hatch: css("--edge"), below: css("--below"), above: css("--above"),
    critical: css("--critical"), warning: css("--warning-fill"), info: css("--info"), cursor: css("--text"),
  };
}

const TOP = 4;
const FOOT = 4;

// options: full (rate at the top), mode (dev, load), colours, marks [[from 0..1, to 0..1, severity]], at (step under the cursor)
export function draw(canvas, row, options) {
  const scale = devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  const steps = row.bps.length;
  if (!steps) return;
  const x = (i) => Math.round((i * width) / steps);
  const box = { pen, scale, width, height, x, top: TOP * scale, room: height - (TOP + FOOT) * scale, foot: FOOT * scale };
  cells(box, row, options);
  if (options.mode !== "load") rates(box, row, options);
  marks(box, options);
  if (options.at >= 0) {
    pen.globalAlpha = 0.9;
    pen.fillStyle = options.colours.cursor;
    pen.fillRect(x(options.at), 0, Math.max(1, scale), height);
  }
  pen.globalAlpha = 1;
}

// Runs of equal states are drawn at once, or hatches would show their seams.
function runs(states, letter, act) {
  for (let i = 0; i < states.length; i++) {
    if (states[i] !== letter) continue;
    const from = i;
    while (i < states.length && states[i] === letter) i++;
    act(from, i);
  }
}

function cells(box, row, { mode, full, colours }) {
  const { pen, x, top, room, scale } = box;
  for (let i = 0; i < row.bps.length; i++) {
    const z = row.deviation[i];
    const mean = row.bps[i];
    if (mode === "load" ? mean === null : z === null || Math.abs(z) < DEVIATES) continue;
    pen.globalAlpha = mode === "load" ? 1 : 0.3 + 0.3 * Math.min(1, (Math.abs(z) - DEVIATES) / 25);
    pen.fillStyle = mode === "load" ? cividis(mean / full) : z > 0 ? colours.above : colours.below;
    pen.fillRect(x(i), top, Math.max(1, x(i + 1) - x(i)), room + scale);
  }
  pen.globalAlpha = 0.8;
  pen.fillStyle = colours.idle;
  runs(row.states, "i", (from, to) => pen.fillRect(x(from), Math.round(top + room / 2), x(to) - x(from), Math.max(1, Math.round(scale * 0.75))));
  runs(row.states, "q", (from, to) => { for (let at = x(from); at < x(to); at += 4 * scale) pen.fillRect(at, Math.round(top + room / 2), scale * 1.25, Math.max(1, Math.round(scale))); });
  runs(row.states, "n", (from, to) => hatch(pen, x(from), top, x(to) - x(from), room + scale, colours.hatch, scale, 0.75));
  runs(row.states, "p", (from, to) => hatch(pen, x(from), top, Math.max(3 * scale, x(to) - x(from)), room + scale, colours.hatch, scale, 0.75));
}

function rates(box, row, { full, colours }) {
  const { pen, x, top, room, scale, foot, height } = box;
  const bar = (value, i, colour, alpha) => {
    const tall = value > 0 ? Math.max(scale, Math.min(value / full, 1) * room) : scale;
    pen.globalAlpha = alpha;
    pen.fillStyle = colour;
    pen.fillRect(x(i), top + room - tall, Math.max(1, x(i + 1) - x(i)), tall);
  };
  for (let i = 0; i < row.bps.length; i++) {
    if (row.bps[i] === null) continue;
    const peak = row.max_bps_100us[i];
    const z = row.deviation[i];
    const colour = z === null || Math.abs(z) < DEVIATES ? colours.mean : z > 0 ? colours.above : colours.below;
    if (peak !== null) bar(peak, i, colour, 0.28);
    bar(row.bps[i], i, colour, 1);
    const ce = row.ce_share[i];
    if (ce > 0) {
      pen.globalAlpha = Math.min(1, 0.5 + ce * 5);
      pen.fillStyle = colours.ce;
      pen.fillRect(x(i), height - foot + scale, Math.max(1, x(i + 1) - x(i)), foot - scale);
    }
  }
}

function marks(box, { marks: of = [], colours }) {
  const { pen, scale, width } = box;
  for (const [from, to, severity] of of) {
    pen.globalAlpha = 1;
    pen.fillStyle = colours[severity] || colours.info;
    const start = Math.max(0, from) * width;
    pen.fillRect(start, 0, Math.max(3 * scale, (Math.min(1, to) - Math.max(0, from)) * width), 2.5 * scale);
  }
}

export function hatch(pen, x, y, width, height, colour, scale, alpha) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, width, height);
  pen.clip();
  pen.globalAlpha = alpha;
  pen.strokeStyle = colour;
  pen.lineWidth = scale;
  pen.beginPath();
  const apart = 5 * scale;
  for (let d = Math.floor((x - height) / apart) * apart; d < x + width; d += apart) {
    pen.moveTo(d, y + height);
    pen.lineTo(d + height, y);
  }
  pen.stroke();
  pen.restore();
}
