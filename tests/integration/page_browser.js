// A headless Chromium for page_test.py: a line of JSON is a command, [name, argument], and its answer is another line.

const puppeteer = require("puppeteer-core");
const fs = require("fs");
const readline = require("readline");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
               "--hide-scrollbars"];

let browser;
let page;
const complaints = []; // of the browser, about the page

const placeOf = (node) => `${node.target} ${node.failureSummary}`;

const commands = {
  async open(url) {
    const origin = new URL(url).host;
    page.on("console", (one) => one.type() === "error" && complaints.push(`console: ${one.text()}`));
    page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
    page.on("request", (one) => {
      if (new URL(one.url()).host !== origin) complaints.push(`asks another host: ${one.url()}`);
    });
    await page.evaluateOnNewDocument(() => document.addEventListener("securitypolicyviolation",
      (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
    await page.goto(url);
  },
  async look({width, height, scheme}) {
    await page.setViewport({width, height});
    await page.emulateMediaFeatures([{name: "prefers-color-scheme", value: scheme}]);
  },
  text: (selector) => page.$eval(selector, (one) => (one.checkVisibility() ? one.innerText : "")),
  texts: (selector) => page.$$eval(selector, (all) => all.map((one) => one.innerText)),
  data: (selector) => page.$$eval(selector, (all) => all.map((one) => ({...one.dataset}))),
  click: (selector) => page.click(selector),
  fill: async ([selector, text]) => {
    await page.$eval(selector, (one) => one.select());
    await page.type(selector, text);
  },
  classes: () => page.$eval("body", (one) => one.className),
  kept: () => page.evaluate(() => [document.cookie, localStorage.length, sessionStorage.length]),
  widest: () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
  focus: async (times) => {
    const seen = [];
    for (let i = 0; i < times; ++i) {
      await page.keyboard.press("Tab");
      seen.push(await page.evaluate(() => document.activeElement.id || document.activeElement.className));
    }
    return seen;
  },
  shoot: (path) => page.screenshot({path, fullPage: true}).then(() => path),
  async faults() {
    await page.evaluate(AXE);
    const {violations} = await page.evaluate(() => axe.run());
    return violations.filter((one) => ["serious", "critical"].includes(one.impact))
      .map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map(placeOf).join("; ")}`);
  },
  complaints: () => complaints.splice(0),
};

async function carryOut(name, argument) {
  try {
    return {value: (await commands[name](argument)) ?? null};
  } catch (error) {
    return {error: String(error)};
  }
}

async function main() {
  browser = await puppeteer.launch({executablePath: process.argv[2], args: FLAGS});
  page = await browser.newPage();
  for await (const line of readline.createInterface({input: process.stdin})) {
    const [name, argument] = JSON.parse(line);
    const answer = await carryOut(name, argument);
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await browser.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
