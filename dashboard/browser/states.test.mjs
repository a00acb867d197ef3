// Every state of the page on the made-up minute that dashboard/tests/generated describes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test, { after } from "node:test";
import { browser, cell, open, ready, shot, text } from "./browser.mjs";

const base = process.env.FABRICSCOPE_URL;
// The same minute from a sensor that falls silent, and a sensor that has nothing.
const silent = process.env.FABRICSCOPE_URL_SILENT;
const empty = process.env.FABRICSCOPE_URL_EMPTY;
const LINK = "/links/leaf0-gpu-3%3Aleaf0%3Egpu-3";
const PAGES = ["/", "/links", LINK, "/flows", "/qps", "/findings", "/findings/ecn_congestion-1", "/sensor", "/jobs"];
after(() => browser.close());

test("the first page answers the three questions, in both languages", async () => {
  const page = await open(`${base}/`);
  assert.equal(await text(page, "#verdict"), "◆ Link leaf0 → gpu-3 is congested: switches mark its packets. It is the network. Job job-1 pays 18.2 ms per step.");
  assert.equal(await cell(page, "leaf0 → gpu-3", "Mean"), "78.8 Gb/s");
  assert.equal(await cell(page, "leaf0 → gpu-3", "CE share"), "5.67 %");
  assert.equal(await cell(page, "leaf0 → gpu-3", "Retrans."), "288");
  assert.equal(await text(page, "#mode"), "Replay");
  await page.click("[data-key=lang]");
  await page.waitForFunction(() => document.documentElement.lang === "zh-Hans");
  await ready(page);
  assert.equal(await text(page, "#verdict"), "◆ 链路 leaf0 → gpu-3 发生拥塞：交换机在标记其报文。问题在网络。作业 job-1 每步损失 18.2 ms。");
  assert.equal(await cell(page, "leaf0 → gpu-3", "CE 占比"), "5.67 %");
  await page.finish();
});

test("measured zero, idle, not observed and unknown do not look alike", async () => {
  const page = await open(`${base}/links`);
  assert.equal(await cell(page, "gpu-0", "Retrans."), "0");
  assert.equal(await cell(page, "gpu-spare", "Mean"), "idle");
  assert.equal(await cell(page, "gpu-spare", "RTT p99"), "–");
  // The mirror session of leaf0 let pause frames through, that of leaf1 never did.
  assert.equal(await cell(page, "gpu-0", "Paused"), "0 ns");
  assert.equal(await cell(page, "gpu-5", "Paused"), "28.5 ms");
  assert.equal(await cell(page, "gpu-9", "Paused"), "?");
  assert.match(await page.locator("tr:has-text('gpu-9') [title*='PFC was never seen']").first().getAttribute("title"), /^unknown/);
  // The mirror of leaf1 was blind from 20 s to 25 s.
  await page.goto(`${base}/links?from=2026-03-02T08:00:21.000000000Z&to=2026-03-02T08:00:24.000000000Z`);
  await ready(page);
  assert.equal(await cell(page, "gpu-9", "Mean"), "–");
  assert.equal(await cell(page, "leaf0 → gpu-0", "Mean"), "51.6 Gb/s");
  await page.finish();
});

test("the cursor in the cells tells the state of a step, by pointer and by key", async () => {
  const page = await open(`${base}/`);
  const strip = page.locator("tr:has-text('gpu-9') canvas");
  const box = await strip.boundingBox();
  await page.mouse.move(box.x + box.width * 0.375, box.y + box.height / 2);
  assert.match(await text(page, ".tip"), /not observed: the mirror behind this link delivered nothing/);
  await page.mouse.move(box.x + box.width * 0.8, box.y + box.height / 2);
  assert.match(await text(page, ".tip"), /08:00:4\d\.\d · 300 ms mean .* peak of 100 µs/);
  await page.mouse.move(4, 4);
  await page.locator("tr:has-text('leaf0 → gpu-6')").focus();
  await page.keyboard.press("ArrowLeft");
  assert.match(await text(page, ".tip"), /idle: the mirror delivered/);
  await page.finish();
});

test("what a packet said cannot become markup", async () => {
  for (const path of ["/", "/links", "/flows?q=onerror", "/findings", "/findings/qos_misconfigured-1", "/links/leaf1-%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D'owned'%22%3E%20%26%20'quoted'%3Aleaf1%3E%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D'owned'%22%3E%20%26%20'quoted'"]) {
    const page = await open(base + path);
    assert.notEqual(await page.title(), "owned", path);
    assert.equal(await page.locator("main img").count(), 0, path);
    assert.match(await page.locator("main").innerText(), /<img src=x/, path);
    await page.finish();
  }
});

test("keys reach everything, and can be switched off", async () => {
  const page = await open(`${base}/`);
  const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); await page.waitForTimeout(50); await ready(page); };
  await press("g", "l");
  assert.equal(new URL(page.url()).pathname, "/links");
  await press("j", "j");
  assert.match(await page.evaluate(() => document.activeElement.innerText), /leaf0 → gpu-6/);
  await press("k", "Enter");
  assert.equal(new URL(page.url()).pathname, LINK);
  await press("u");
  assert.equal(new URL(page.url()).pathname, "/links");
  await press("/");
  await page.keyboard.type("spine");
  await page.waitForURL(/q=spine/);
  await ready(page);
  assert.equal(await page.locator("main table").first().locator("tbody tr").count(), 2);
  assert.equal(await page.evaluate(() => document.activeElement.value), "spine");
  await press("Escape", "t");
  assert.equal(await page.getAttribute("html", "data-theme"), "light");
  await press("+");
  assert.match(page.url(), /from=2026-03-02T08:00:15/);
  await press("0");
  assert.doesNotMatch(page.url(), /from=/);
  await press("?");
  await page.uncheck("#keys-on");
  await press("Escape", "g", "f");
  assert.equal(new URL(page.url()).pathname, "/links");
  await page.finish();
});

test("a zoom is in the address, keeps the peak, and goes back", async () => {
  const page = await open(base + LINK);
  const plot = await page.locator("[data-chart=rate] .u-over").boundingBox();
  await page.mouse.move(plot.x + plot.width * 0.52, plot.y + 40);
  await page.mouse.down();
  await page.mouse.move(plot.x + plot.width * 0.68, plot.y + 50, { steps: 6 });
  await page.mouse.up();
  await page.waitForURL(/from=2026-03-02T08:00:3.*&to=2026-03-02T08:00:4/);
  await ready(page);
  await page.mouse.move(4, 4);
  assert.match(await text(page, "[data-chart=rate] .readout"), /peak of 100 µs max 200 Gb\/s/);
  const address = page.url();
  const mean = await text(page, ".facts dd");
  await page.reload();
  await ready(page);
  assert.equal(page.url(), address);
  assert.equal(await text(page, ".facts dd"), mean);
  const again = await page.locator("[data-chart=rate] .u-over").boundingBox();
  await page.mouse.dblclick(again.x + again.width / 2, again.y + 40);
  await page.waitForFunction(() => !location.search.includes("from="));
  await page.finish();
});

test("one cursor reads all panels, also by key; digits are exact", async () => {
  const page = await open(`${base}/links/leaf1-gpu-9%3Aleaf1%3Egpu-9`);
  assert.match(await text(page, "[data-chart=pfc]"), /Unknown: PFC was never seen on this mirror/);
  await page.goto(base + LINK);
  await ready(page);
  await page.locator(".charts").focus();
  for (let i = 0; i < 32; i++) await page.keyboard.press("Shift+ArrowRight");
  assert.match(await text(page, ".charts .moment"), /^08:00:31\.9 · 2026-03-02/);
  assert.match(await text(page, "[data-chart=ce] .readout"), /CE share 12 %/);
  assert.match(await text(page, "[data-chart=rtt] .readout"), /p50 17\d µs p90 .* p99\.9/);
  await page.goto(`${base}/findings/ecn_congestion-1`);
  await ready(page);
  assert.match(await text(page, "main"), /08:00:30\.001234567 10\.1\.0\.2 → 10\.1\.0\.4 0x001103 4711 CE-marked/);
  assert.match(await text(page, ".chain"), /is congested.*↳.*waited for a timeout.*↳.*answers late/);
  await page.finish();
});

test("a finding can be taken along as text and as JSON", async () => {
  const page = await open(`${base}/findings/timeout_retransmit-1`);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.click("[data-key=copy-json]");
  await page.waitForFunction(() => document.querySelector("[data-key=copy-json]").textContent === "Copied");
  assert.equal(JSON.parse(await page.evaluate(() => navigator.clipboard.readText())).evidence.numbers.longest_silence_ns, 67200000);
  await page.click("[data-key=copy-text]");
  await page.waitForFunction(() => document.querySelector("[data-key=copy-text]").textContent === "Copied");
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^Critical: Queue pair 10\.1\.0\.2 → 10\.1\.0\.4 0x001103 waited for a timeout[^]*67\.2 ms[^]*\/findings\/timeout_retransmit-1/);
  await page.finish();
});

test("times are the capture's, in the zone that is said", async () => {
  const page = await open(`${base}/findings/link_silent-1`);
  assert.match(await text(page, "main"), /2026-03-02 08:00:48\.000000 UTC/);
  await page.click("[data-key=zone]");
  await page.waitForURL(/tz=Europe/);
  await ready(page);
  assert.match(await text(page, "main"), /2026-03-02 09:00:48\.000000 UTC\+1/);
  assert.equal(await page.inputValue("#t-from"), "09:00:00.000");
  assert.match(await text(page, "#window"), /Europe\/Berlin \(UTC\+1\)/);
  await page.finish();
});

test("a zone's offset is that of the moment, across the change of summer time", async () => {
  const page = await open(`${base}/?tz=Europe%2FBerlin`);
  const shown = await page.evaluate(async () => {
    const time = await import("/assets/js/time.js");
    return [time.full(1774745999999999999n), time.full(1774746000000000000n)];
  });
  assert.deepEqual(shown, ["2026-03-29 01:59:59.999999999 UTC+1", "2026-03-29 03:00:00.000000000 UTC+2"]);
  await page.finish();
});

test("filters narrow, empty answers say why, and what cannot be loaded says so", async () => {
  const page = await open(`${base}/findings?severity=warning&state=closed`);
  assert.equal(await page.locator("main tbody tr").count(), 2);
  await page.goto(`${base}/flows?q=no-such-thing`);
  await ready(page);
  assert.match(await text(page, "main"), /No flow matches these filters/);
  await page.goto(`${base}/qps?sel=10.1.0.4%3E10.1.0.5%234355`);
  await ready(page);
  assert.match(await text(page, "main"), /RC_WRITE_MIDDLE 292,800/);
  await page.finish();
  const missing = await open(`${base}/links/nope`, { expected: /404/ });
  assert.match(await text(missing, ".failed"), /there is no link "nope" \(request e\d+\) Try again/);
  await missing.finish();
});

test("a job says its steps, who delays it, and what it pays for", async () => {
  const page = await open(`${base}/jobs`);
  const job = await text(page, "[data-job=job-1]");
  for (const part of ["Hosts 8", "Steps 119", "p50 500 ms", "Ring all-reduce", "92 Gb/s", "10.1.0.4: its messages are slow (network)", "is congested: switches mark its packets 18.2 ms per step"]) assert.ok(job.includes(part), `${part} is not in: ${job}`);
  await page.finish();
});

test("the stream: lost, silent and back", async () => {
  let cut = false;
  const prepare = async (context) => {
    // In the page itself the stream can be cut; a shared worker's cannot.
    await context.addInitScript(() => { delete globalThis.SharedWorker; });
    await context.route("**/api/v1/live**", (route) => (cut ? route.fulfill({ status: 503, body: "{}" }) : route.continue()));
    await context.route("**/api/v1/extent", async (route) => {
      const answer = await route.fetch();
      route.fulfill({ response: answer, json: { ...await answer.json(), mode: "live" } });
    });
  };
  cut = true;
  const page = await open(`${silent}/`, { prepare, expected: /503/ });
  await page.waitForSelector("#mode[data-mode=reconnecting]");
  assert.ok(await page.evaluate(() => document.documentElement.classList.contains("stale")));
  cut = false;
  // The made-up sensor sends one tick and then falls silent without having said that it ended.
  await page.waitForSelector("#mode[data-mode=live]", { timeout: 15000 });
  await page.waitForSelector("#mode[data-mode=stale]", { timeout: 10000 });
  assert.match(await text(page, "#mode"), /^Stale \d+ s$/);
  await page.finish();
});

test("a sensor without data says what is missing", async () => {
  const page = await open(`${empty}/`);
  assert.match(await text(page, "main"), /Nothing to show yet.*The sensor answers.*An analysis runs in this process.*No frame yet/);
  await page.goto(`${empty}/sensor`);
  await ready(page);
  assert.match(await text(page, "main"), /only serves a store/);
  await page.finish();
});

test("twelve tabs share one stream", async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const pages = [];
  for (let i = 0; i < 12; i++) pages.push(await open(`${base}/sensor`, { context }));
  // Earlier streams end with the next comment that the sensor cannot send: within five seconds.
  let streams = 0;
  for (let i = 0; i < 30 && streams !== 1; i++) {
    await new Promise((resolve) => { setTimeout(resolve, 500); });
    streams = Number(/fabricscope_streams_open (\d+)/.exec(await (await fetch(`${base}/metrics`)).text())[1]);
  }
  assert.equal(streams, 1);
  for (const page of pages) await page.finish();
  await context.close();
});

const AXE = readFileSync(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const EVERYTHING = ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"];
// Only the colours differ between the two.
for (const [theme, runOnly] of [["dark", EVERYTHING], ["light", ["color-contrast"]]]) {
  test(`nothing hinders a reader, in ${theme}`, async () => {
    const page = await open(`${base}/?theme=${theme}`, { prepare: (context) => context.addInitScript(AXE) });
    for (const path of PAGES) {
      await page.goto(`${base}${path}?theme=${theme}`).then(() => ready(page));
      const { violations } = await page.evaluate((rules) => globalThis.axe.run({ runOnly: rules }), runOnly);
      assert.deepEqual(violations.map((one) => `${path}: ${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html).join(" ")}`), []);
    }
    await page.finish();
  });
}

test("nothing is cut off at the usual widths", async () => {
  for (const [width, height, look] of [[1280, 900, "lang=en&theme=dark"], [1280, 900, "lang=zh&theme=light"], [1920, 1080, "lang=en&theme=light"]]) {
    const page = await open(`${base}/?${look}`, { width, height });
    for (const path of PAGES) {
      await page.goto(`${base}${path}?${look}`).then(() => ready(page));
      const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(wide <= seen, `${path} ${look} is ${wide} wide at ${width}`);
      await shot(page, `${path.slice(1).replace(/\W+/g, "-") || "now"}-${width}-${look.replace(/\W+/g, "-")}`);
    }
    await page.finish();
  }
});

test("the page is small and fast", async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const sizes = new Map();
  // A file asked for again is answered with nothing new.
  page.on("requestfinished", async (request) => {
    const { pathname } = new URL(request.url());
    sizes.set(pathname, Math.max(sizes.get(pathname) || 0, (await request.sizes()).responseBodySize));
  });
  await page.goto(`${base}/`);
  await page.waitForSelector("#verdict");
  const paint = await page.evaluate(() => performance.getEntriesByType("paint").find((one) => one.name === "first-contentful-paint")?.startTime);
  const files = () => [...sizes].filter(([path]) => !path.startsWith("/api/")).reduce((sum, [, size]) => sum + size, 0);
  const first = files();
  for (const path of PAGES) await page.goto(base + path).then(() => ready(page));
  await page.goto(`${base}/?lang=zh`).then(() => ready(page));
  console.log(`first page ${(first / 1000).toFixed(1)} kB, all ${(files() / 1000).toFixed(1)} kB gzip, first paint ${Math.round(paint)} ms`);
  assert.ok(first < 60000, `the first page has ${first} bytes`);
  assert.ok(files() < 120000, `all pages have ${files()} bytes`);
  await context.close();
});
