// Opens reports in headless Chromium and says what a person would stumble over: an error in the console, a request to anywhere,
// something wider than the window, what axe-core finds serious, figures that are not those of run.json, more than two printed pages.
//
//   node check.mjs CHROMIUM RUN_FOLDER...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import puppeteer from "puppeteer-core";

const WIDTHS = [360, 800, 1400];
const MOST_PRINTED = 2;
const BACKENDS_PRINTED = 5;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [chromium, ...folders] = process.argv.slice(2);
if (!folders.length) {
  console.error("usage: node check.mjs CHROMIUM RUN_FOLDER...");
  process.exit(2);
}

const faults = [];
const browser = await puppeteer.launch({ executablePath: chromium, args: ["--no-sandbox"] }).catch((error) => {
  // A machine whose browser cannot start says nothing of the page.
  console.log(`not checked: ${chromium} cannot be started: ${error.message.split("\n")[0]}`);
  process.exit(0);
});
try {
  for (const folder of folders) {
    await check(folder, (what) => faults.push(`${folder}: ${what}`));
  }
} finally {
  await browser.close();
}
faults.forEach((fault) => console.error(fault));
console.log(`${folders.length} pages at ${WIDTHS.length} widths, light, dark, printed and without scripts: ${faults.length} faults`);
process.exit(faults.length ? 1 : 0);

async function check(folder, fault) {
  const record = JSON.parse(readFileSync(path.join(folder, "run.json"), "utf8"));
  const address = pathToFileURL(path.resolve(folder, "report.html")).href;
  for (const scheme of ["light", "dark"]) {
    for (const width of WIDTHS) {
      const at = `${width} px, ${scheme}`;
      const page = await opened(address, width, scheme, (what) => fault(`${at}: ${what}`));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (wide > 0) fault(`${at}: the page is ${wide} px wider than the window`);
      await page.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
      // Scripts of the page itself are allowed and no others, so axe comes by the debugger's way and not as an element.
      await page.evaluate(axe);
      const found = await page.evaluate(() => globalThis.axe.run());
      for (const { id, impact, nodes } of found.violations.filter(({ impact }) => ["serious", "critical"].includes(impact))) {
        fault(`${at}: axe: ${impact}: ${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 120)).join(" | ")}`);
      }
      if (width === WIDTHS[1] && scheme === "light") {
        await figures(page, record, fault);
        await charts(page, fault);
      }
      await page.close();
    }
  }
  await printed(address, record, fault);
  const page = await browser.newPage();
  await page.setJavaScriptEnabled(false);
  await page.goto(address);
  const pictures = await page.$$("figure svg");
  if (!pictures.length && record.backends.some((one) => one.curve.length > 1)) fault("without scripts there is no picture");
  await page.close();
}

async function opened(address, width, scheme, fault) {
  const page = await browser.newPage();
  page.on("console", (message) => message.type() === "error" && fault(`console: ${message.text()}`));
  page.on("pageerror", (error) => fault(`script: ${error.message}`));
  page.on("request", (request) => /^(file|data):/.test(request.url()) || fault(`asks for ${request.url()}`));
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.setViewport({ width, height: 900 });
  await page.goto(address);
  return page;
}

// The table of the decision has the figures of the record, and the answer is the record's.
async function figures(page, record, fault) {
  const { decision } = record;
  if (!decision) return;
  const label = (name) => record.backends.find((one) => one.name === name)?.label ?? name;
  const answer = await page.$eval(".answer", (one) => one.textContent);
  if (decision.answer && !answer.startsWith(`Deploy ${label(decision.answer)}:`)) fault(`the page says: ${answer}`);
  if (decision.rows.length < 2) return;
  const rows = await page.$$eval("table tbody", (tables) =>
    [...tables[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
  if (rows.length !== decision.rows.length) fault(`${rows.length} rows of ${decision.rows.length}`);
  const sizes = { ns: 1, "µs": 1e3, ms: 1e6, s: 1e9 };
  decision.rows.forEach((row, index) => {
    const [name, , , , value, ratio] = rows[index] ?? [];
    if (name !== label(row.backend)) fault(`row ${index + 1} is ${name}, expected ${row.backend}`);
    const [number, unit] = (value ?? "").replaceAll(",", "").split(" ");
    const found = Number(number) * (sizes[unit] ?? 1);
    if (row.value !== null && decision.prefer === "latency" && !(Math.abs(found / row.value - 1) < 0.006)) {
      fault(`${name}: ${value} on the page, ${row.value} in run.json`);
    }
    if (row.ratio && !(Math.abs(parseFloat(ratio) - row.ratio.value) < 0.006)) {
      fault(`${name}: a ratio of ${ratio} on the page, ${row.ratio.value} in run.json`);
    }
  });
}

// A chart tells a value at the pointer and by keys, and a series can be switched off.
async function charts(page, fault) {
  for (const chart of await page.$$(".chart")) {
    const sheet = await chart.$("svg");
    const drawn = () => chart.$$eval("svg path, svg line:not(.grid):not(.limit)", (all) => all.length);
    const before = await drawn();
    await sheet.hover();
    const read = () => chart.$eval(".read", (one) => one.textContent);
    if (!/: .*\d (ns|µs|ms|s)/.test(await read())) fault(`pointing at a chart says: ${await read()}`);
    await sheet.evaluate((one) => one.focus());
    await page.keyboard.press("ArrowRight");
    if (!/\d (ns|µs|ms|s)/.test(await read())) fault(`an arrow key says: ${await read()}`);
    const boxes = await chart.$$("input");
    await boxes[0].click();
    if ((await drawn()) >= before) fault("a series that is switched off stays");
    await boxes[0].click();
    await boxes[boxes.length - 1].click();
    if ((await drawn()) < 1) fault("on a linear axis nothing is drawn");
  }
}

async function printed(address, record, fault) {
  if (record.backends.length > BACKENDS_PRINTED) return;
  const page = await browser.newPage();
  await page.goto(address);
  const pdf = Buffer.from(await page.pdf({ format: "A4", margin: { top: "1cm", bottom: "1cm", left: "1cm", right: "1cm" } }));
  const pages = pdf.toString("latin1").match(/\/Type\s*\/Page\b(?!s)/g)?.length ?? 0;
  if (pages > MOST_PRINTED) fault(`${pages} printed pages, at most ${MOST_PRINTED}`);
  await page.close();
}
