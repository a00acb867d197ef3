// Real captures with known truth, replayed by the program itself: the sentence, the cell, the number, in both languages.

import assert from "node:assert/strict";
import test, { after } from "node:test";
import { browser, cell, open, ready, shot, text } from "./browser.mjs";

// softroce c01: ib_write_bw between two hosts, 2 % of packets lost after the mirror point. Counted by tshark from the file.
const c01 = process.env.FABRICSCOPE_URL_LOSS;
// fabric-sim lossy_open: leaf1-spine0 drops 0.2 % in the direction of leaf1.
const lossy = process.env.FABRICSCOPE_URL_FABRIC;
after(() => browser.close());

test("loss after the tap: who, where, how much", async () => {
  const page = await open(`${c01}/`);
  assert.match(await text(page, "#verdict"), /Link fabric->10\.10\.0\.2 loses packets\. It is the network\. No training job was recognised/);
  assert.match(await text(page, ".cards"), /8 packets lost on fabric->10\.10\.0\.2 .* after the tap/);
  assert.equal(await cell(page, "10.10.0.1->fabric", "Retrans."), "519");
  // Not one packet of this capture could have been marked.
  assert.equal(await cell(page, "10.10.0.1->fabric", "CE share"), "?");
  assert.equal(await text(page, "#mode"), "Replay");
  assert.match(await text(page, "main"), /Frames 3,081/);
  await page.goto(`${c01}/?lang=zh&theme=light`);
  await ready(page);
  assert.match(await text(page, "#verdict"), /链路 fabric->10\.10\.0\.2 丢包。问题在网络。未识别出训练作业/);
  assert.equal(await cell(page, "10.10.0.1->fabric", "重传"), "519");
  await shot(page, "replay-loss-zh");
  await page.finish();
});

test("the queue pairs of a loss: numbers and operations as counted from the file", async () => {
  const page = await open(`${c01}/qps`);
  assert.equal(await page.locator("main tbody tr").count(), 2);
  assert.equal(await cell(page, "^10.10.0.1", "Retrans."), "519");
  assert.equal(await cell(page, "^10.10.0.2", "NAK"), "8");
  await page.locator("main tbody tr", { hasText: "519" }).click();
  await page.waitForURL(/sel=/);
  await ready(page);
  const one = await text(page, "main");
  for (const [operation, n] of [["RC_WRITE_FIRST", "180"], ["RC_WRITE_LAST", "186"], ["RC_WRITE_MIDDLE", "2,553"]]) assert.ok(one.includes(`${operation} ${n}`), one);
  await page.finish();
});

test("times are those of 2026 in the capture, not of this computer", async () => {
  const page = await open(`${c01}/links/host%3A10.10.0.2%3Arx`);
  assert.match(await text(page, "main"), /First packet 16:59:10\.\d{6}/);
  assert.match(await page.inputValue("#t-from"), /^16:59:10/);
  assert.match(await text(page, "[data-chart=pfc]"), /Unknown: PFC was never seen on this mirror/);
  await shot(page, "replay-loss-link");
  await page.finish();
});

test("a lossy link in a fabric of many: named, with what follows from it", async () => {
  const page = await open(`${lossy}/`, { width: 1920, height: 1080 });
  assert.match(await text(page, "#verdict"), /Link spine0->leaf1 loses packets\. It is the network\./);
  assert.match(await text(page, "main tbody tr"), /spine0->leaf1/);
  // As in the terminal: over the time of the capture, not of whole ticks.
  assert.equal(await cell(page, "spine0->leaf1", "Mean"), "3.82 Gb/s");
  await shot(page, "replay-fabric");
  await page.click("#verdict a");
  await page.waitForURL(/findings/);
  await ready(page);
  assert.match(await text(page, "main"), /Link spine0->leaf1 loses packets/);
  const { findings } = await (await fetch(`${lossy}/api/v1/report`)).json();
  const { numbers } = findings.find((one) => one.kind === "fabric_loss").evidence;
  assert.ok(numbers.lost_before_tap_packets > 0 && numbers.lost_after_tap_packets === 0, "the tap at leaf1 is behind the lossy link");
  assert.ok((await text(page, "main")).includes(`Lost before tap packets ${numbers.lost_before_tap_packets.toLocaleString("en-US")}`));
  await page.goto(`${lossy}/?lang=zh`);
  await ready(page);
  assert.match(await text(page, "#verdict"), /链路 spine0->leaf1 丢包。问题在网络。/);
  await page.finish();
});

test("what the page says of the whole is what the report says", async () => {
  const report = await (await fetch(`${lossy}/api/v1/report`)).json();
  const page = await open(`${lossy}/sensor`);
  assert.match(await text(page, "main"), new RegExp(`Frames ${report.capture.packets.toLocaleString("en-US")} `));
  for (const tap of report.capture.taps) assert.equal(await cell(page, tap.name, "Frames"), tap.frames.toLocaleString("en-US"));
  // A plain mirror cannot say what it lost.
  assert.equal(await cell(page, report.capture.taps[0].name, "Lost"), "?");
  await page.goto(`${lossy}/jobs`);
  await ready(page);
  assert.equal(await page.locator("main [data-job]").count(), Math.max(0, report.jobs.length));
  await page.finish();
});
