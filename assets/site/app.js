// Checks that the site arrived whole, and shows how long it took.
//
// Every figure on the page is measured here, by the visitor's browser. The outcome is also put on
// <html data-ready>, where a test can read it: "yes", or "no: " and the reason.
"use strict";

const FETCH_LIMIT_MS = 60_000;
const TIMING_LIMIT_MS = 2_000;
// Clock readings of a browser are this coarse, at best, on a page without isolation.
const CLOCK_STEP_MS = 0.1;

const byId = (id) => document.getElementById(id);
const grouped = new Intl.NumberFormat("en", { useGrouping: true });
const exact = (bytes) => grouped.format(bytes).replaceAll(",", "\u202f");

function short(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  const power = bytes < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power ? 2 : 0)}\u00a0${units[power]}`;
}

const duration = (ms) => (ms < CLOCK_STEP_MS ? `< ${CLOCK_STEP_MS}` : ms.toFixed(1));

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

// CRC-32 as in PNG and gzip. Plain HTTP is no secure context, so crypto.subtle is not to be had.
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (~crc >>> 0).toString(16).padStart(8, "0");
}

// What the browser itself noted about fetches, by address; the newest counts.
const timings = new Map();
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.initiatorType === "fetch") timings.set(entry.name, entry);
  }
});
observer.observe({ type: "resource", buffered: true });

// The browser hands out its notes a moment after the last byte.
async function timingOf(url) {
  const limit = performance.now() + TIMING_LIMIT_MS;
  while (!timings.has(url) && performance.now() < limit) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return timings.get(url);
}

// Fetches a file of the site, past the cache, and compares it with its entry in the manifest.
async function retrieve(file, progress = () => {}) {
  const url = new URL(file.path, location.href).href;
  timings.delete(url);
  const outcome = { file, fault: "", received: 0, startMs: performance.now(), tookMs: 0, body: null };
  try {
    const response = await fetch(url, {
      cache: "no-store",
      signal: AbortSignal.timeout(FETCH_LIMIT_MS),
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const reader = response.body.getReader();
    const parts = [];
    for (let part; !(part = await reader.read()).done; ) {
      parts.push(part.value);
      outcome.received += part.value.length;
      progress(outcome.received / file.bytes);
    }
    outcome.tookMs = performance.now() - outcome.startMs;
    outcome.body = new Blob(parts, { type: response.headers.get("content-type") ?? "" });
    const crc = crc32(new Uint8Array(await outcome.body.arrayBuffer()));
    if (outcome.received !== file.bytes) {
      throw new Error(`${outcome.received} bytes instead of ${file.bytes}`);
    }
    if (crc !== file.crc32) throw new Error(`CRC-32 ${crc} instead of ${file.crc32}`);
    const timing = await timingOf(url);
    if (timing?.requestStart > 0) {
      outcome.startMs = timing.requestStart;
      outcome.tookMs = timing.responseEnd - timing.requestStart;
    }
  } catch (error) {
    outcome.fault = `${file.path}: ${error.message}`;
  }
  return outcome;
}

function cell(row, text, className) {
  const element = row.insertCell();
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function showLedger(outcomes) {
  const start = Math.min(...outcomes.map((outcome) => outcome.startMs));
  const end = Math.max(...outcomes.map((outcome) => outcome.startMs + outcome.tookMs));
  const percent = (ms) => `${(100 * ms) / (end - start || 1)}%`;
  const rows = outcomes.map((outcome) => {
    const row = document.createElement("tr");
    const link = document.createElement("a");
    link.href = link.textContent = outcome.file.path;
    cell(row, "").append(link);
    cell(row, exact(outcome.received), "number");
    cell(row, duration(outcome.tookMs), "number");
    const bar = document.createElement("i");
    bar.style.marginLeft = percent(outcome.startMs - start);
    bar.style.width = percent(outcome.tookMs);
    cell(row, "", "lane").append(bar);
    const mark = cell(row, outcome.fault ? "✗" : "✓", outcome.fault ? "bad mark" : "good mark");
    mark.title = outcome.fault || `CRC-32 ${outcome.file.crc32}`;
    return row;
  });
  byId("ledger").replaceChildren(...rows);
}

function showFigures(small, large, outcomes) {
  const intact = outcomes.filter((outcome) => !outcome.fault).length;
  const times = small.map((outcome) => outcome.tookMs).sort((a, b) => a - b);
  const bytes = outcomes.reduce((sum, outcome) => sum + outcome.received, 0);
  byId("figure-files").textContent = `${intact} of ${outcomes.length}`;
  byId("figure-bytes").textContent = short(bytes);
  byId("figure-median").textContent = `${duration(times[times.length >> 1])}\u00a0ms`;
  const speed = large.received / Math.max(large.tookMs, CLOCK_STEP_MS);
  byId("figure-speed").textContent = `${short(speed * 1000)}/s`;
  byId("large-caption").textContent = large.fault || `${exact(large.received)} bytes came in ` +
    `${duration(large.tookMs)} ms, and their CRC-32 is ${large.file.crc32}, as it should be.`;
}

async function showPicture(outcome) {
  const image = byId("large");
  if (outcome.fault || image.src) return;
  image.src = URL.createObjectURL(outcome.body);
}

// The reason why the page is not as it should be, or nothing.
async function faultOfPage() {
  const style = getComputedStyle(document.documentElement);
  if (style.getPropertyValue("--applied").trim() !== "yes") return "style.css is not applied";
  for (const image of document.images) {
    await image.decode().catch(() => {});
    if (!image.complete || image.naturalWidth === 0) return `an image is missing: ${image.src}`;
  }
  await document.fonts.ready;
  for (const font of document.fonts) {
    if (font.status === "error") return `a font is missing: ${font.family}`;
  }
  return "";
}

function announce(fault, text) {
  document.documentElement.dataset.ready = fault ? `no: ${fault}` : "yes";
  byId("verdict-text").textContent = fault ? `Not right: ${fault}` : text;
}

async function measure() {
  const response = await fetch("/manifest.json", { cache: "no-store" });
  if (!response.ok) throw new Error(`/manifest.json: status ${response.status}`);
  const server = response.headers.get("server");
  byId("server").textContent = server ? `The answers say they are from “${server}”.` : "";
  const { files } = await response.json();
  // The largest comes alone, so that its speed is its own.
  const largest = files.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  const small = await Promise.all(files.filter((file) => file !== largest).map((file) => retrieve(file)));
  const bar = byId("progress").style;
  const large = await retrieve(largest, (part) => bar.setProperty("--part", part));
  const outcomes = [...small, large];
  showLedger(outcomes);
  showFigures(small, large, outcomes);
  await showPicture(large);
  const fault = outcomes.map((outcome) => outcome.fault).find(Boolean) ?? (await faultOfPage());
  announce(fault, `All ${outcomes.length} files arrived, every byte as it should be.`);
}

async function run() {
  byId("again").disabled = true;
  await measure().catch((error) => announce(error.message));
  byId("again").disabled = false;
}

byId("host").textContent = location.host;
byId("port").textContent = location.port || "80";
byId("again").addEventListener("click", run);
// After everything that the page itself loads, so that the measurement has the line to itself.
addEventListener("load", run);
