// Drives the console in headless Chromium: every page, both colour schemes, a phone's width, the keyboard alone, and what
// goes wrong. It needs Node.js 20, the packages playwright-core 1.65.1 and axe-core 4.14.1 of npm, and a Chromium (Debian's).
//
//     npm install --prefix DIR playwright-core@1.65.1 axe-core@4.14.1
//     NODE_PATH=DIR/node_modules CONSOLE_URL=http://127.0.0.1:8808/console/ node --test tests/console/console.mjs
//
// CONSOLE_URL     the console of a host that has answered some calls, with a denied request, a picture among its artifacts
//                 and a credential. What else is there does not matter; nothing is changed.
// CONSOLE_TOKEN   a token with the scope `admin`, where the host wants one
// CONSOLE_SECRETS texts that no page may ever show, with a comma between
// CHROMIUM        the browser; /usr/bin/chromium without it
// SHOTS           a directory for pictures of every page; none without it

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const { CONSOLE_URL: url, CONSOLE_TOKEN: token, CONSOLE_SECRETS: secrets = "" } = process.env;
const { CHROMIUM = "/usr/bin/chromium", SHOTS } = process.env;
assert(url?.endsWith("/console/"), "CONSOLE_URL names the console, such as http://127.0.0.1:8808/console/");
const PAGES = ["", "packs", "calls", "denials", "record", "artifacts", "sessions", "credentials"];

let browser;
before(async () => { browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] }); });
after(() => browser.close());

/** A window of its own, logged in where that is needed, that notes whatever the browser complains about. */
async function open(t, path = "", { login = true, prepare, ...settings } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", ...settings });
  t.after(() => context.close());
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("console", (line) => {
    // An answer that is a problem is a line of its own in the browser's log.
    if (line.type() === "error" && !line.text().startsWith("Failed to load resource")) page.complaints.push(line.text());
  });
  if (login && token) await context.addInitScript((token) => sessionStorage.setItem("packhost.token", token), token);
  await prepare?.(page);
  await page.goto(`${url}#/${path}`);
  await settled(page);
  return page;
}

/** Until everything that the page waits for is there. */
async function settled(page) {
  await page.locator("h1").waitFor();
  await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
}

/** Until the page of this heading is there, and all of it: a key or a click is answered a moment later. */
async function arrives(page, heading) {
  await page.locator("h1", { hasText: heading }).waitFor();
  await settled(page);
}

async function go(page, path) {
  await page.evaluate((path) => { location.hash = `#/${path}`; }, path);
  await settled(page);
}

/** Answers requests for a path below /v1 with this instead of the host. */
function answer(page, path, body, status = 200) {
  const type = status < 400 ? "application/json" : "application/problem+json";
  const answered = { status, contentType: type, body: JSON.stringify(body) };
  return page.route((asked) => asked.pathname === `/v1/${path}`, (route) => route.fulfill(answered));
}

/** The pages of the list, and one of each kind that a list leads to. */
async function addresses(page) {
  const found = [...PAGES];
  for (const [list, pattern] of [["packs", "#/packs/"], ["record", "#/record/"], ["artifacts", "#/artifacts/"]]) {
    await go(page, list);
    const first = page.locator(`main a[href^="${pattern}"]`).first();
    assert.notEqual(await first.count(), 0, `nothing is listed on ${list}`);
    found.push((await first.getAttribute("href")).slice(2));
  }
  return found;
}

/** What axe finds wrong with the page as it stands, which is nothing. */
async function accessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).slice(0, 3).join(" ")}`), [], where);
}

async function picture(page, name) {
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name.replaceAll(/\W+/g, "-") || "overview"}.png`, fullPage: true });
}

for (const colorScheme of ["light", "dark"]) {
  test(`every page is accessible in ${colorScheme} and says nothing that is secret`, async (t) => {
    const page = await open(t, "", { colorScheme });
    for (const path of await addresses(page)) {
      await go(page, path);
      await accessible(page, path);
      const html = await page.content();
      for (const secret of [token, ...secrets.split(",")].filter(Boolean)) assert(!html.includes(secret), `${path} shows a secret`);
      await picture(page, `${path || "overview"}-${colorScheme}-1280`);
    }
    assert.deepEqual(page.complaints, []);
  });

  test(`a phone's width is enough for every page in ${colorScheme}`, async (t) => {
    const page = await open(t, "", { colorScheme, viewport: { width: 360, height: 740 } });
    for (const path of await addresses(page)) {
      await go(page, path);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert(over <= 0, `${path} is ${over} px too wide`);
      await picture(page, `${path || "overview"}-${colorScheme}-360`);
    }
  });
}

test("at twice and four times the size nothing is cut off", async (t) => {
  for (const width of [640, 320]) {
    const page = await open(t, "", { viewport: { width, height: 400 } });
    for (const path of await addresses(page)) {
      await go(page, path);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert(over <= 0, `${path} is ${over} px too wide at ${width}`);
    }
  }
});

test("the keyboard alone leads everywhere", async (t) => {
  const page = await open(t);
  const focused = () => page.evaluate(() => document.activeElement.textContent.trim());
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the page");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  assert.equal(new URL(page.url()).hash, "#/", "the skip link is no page");

  await page.locator("#nav a", { hasText: "Record" }).focus();
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(ring, "solid", "the focus is seen");
  await page.keyboard.press("Enter");
  await arrives(page, "Record");
  assert.equal(await focused(), "Record", "the heading of the new page has the focus");
  assert.equal(await page.locator("#nav [aria-current]").textContent(), "Record");

  const first = page.locator('tbody a[href^="#/record/"]').first();
  const number = await first.textContent();
  for (let steps = 0; !(await first.evaluate((link) => link === document.activeElement)); steps++) {
    assert(steps < 60, "the first record is not in reach of Tab");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await arrives(page, `Record ${number}`);
  assert.equal(await focused(), `Record ${number}`);
});

test("on a phone the menu opens and closes by keyboard", async (t) => {
  const page = await open(t, "", { viewport: { width: 360, height: 740 } });
  const menu = page.getByRole("button", { name: "Menu" });
  await menu.focus();
  await page.keyboard.press("Enter");
  assert.equal(await menu.getAttribute("aria-expanded"), "true");
  await accessible(page, "the menu");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Overview");
  await page.keyboard.press("Escape");
  assert.equal(await menu.getAttribute("aria-expanded"), "false");
  assert(await menu.evaluate((button) => button === document.activeElement));
  await menu.click();
  await page.getByRole("link", { name: "Packs", exact: true }).click();
  await arrives(page, "Packs");
  assert.equal(await page.locator("#nav").isVisible(), false, "it is closed on the new page");
});

test("where a token is needed it is asked for, kept for the tab, and forgotten", { skip: !token && "the host needs no token" }, async (t) => {
  const page = await open(t, "packs", { login: false });
  assert.equal(await page.locator("h1").textContent(), "Log in");
  assert.equal(await page.locator("#nav").isVisible(), false);
  await accessible(page, "login");
  await picture(page, "login");
  await page.getByLabel("Token").fill("ph_of nobody");
  await page.keyboard.press("Enter");
  assert.match(await page.getByRole("alert").textContent(), /no token/);
  await page.getByLabel("Token").fill("ph_ofnobody");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasNotText: "no token" }).waitFor();
  await accessible(page, "a refused login");
  await page.getByLabel("Token").fill(token);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Packs" }).waitFor();
  const kept = await page.evaluate(() => [localStorage.length, document.cookie, sessionStorage.length]);
  assert.deepEqual(kept, [0, "", 1]);
  await page.getByRole("button", { name: "Log out" }).click();
  assert.equal(await page.locator("h1").textContent(), "Log in");
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  assert.equal(await page.getByLabel("Token").inputValue(), "");
});

test("a token that expires while somebody looks leads to the login, and back to the same page", async (t) => {
  const page = await open(t, "packs");
  const problem = { title: "The caller did not prove who it is.", status: 401, detail: "This token has expired." };
  await page.evaluate(() => sessionStorage.setItem("packhost.token", "ph_old"));
  await answer(page, "denials", problem, 401);
  await page.evaluate(() => { location.hash = "#/denials"; });
  await page.getByText("This token has expired.").waitFor();
  await page.unrouteAll();
  await page.getByLabel("Token").fill(token || "any");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Denials" }).waitFor();
});

test("a missing scope is named, and the rest of the page is there", async (t) => {
  const problem = { title: "No.", status: 403, detail: "This token does not have the scope admin.", fix: "Ask for `admin`." };
  const page = await open(t, "packs/text.stats", { prepare: (page) => answer(page, "packs/text.stats/grants", problem, 403) });
  const alert = page.getByRole("alert");
  assert.match(await alert.textContent(), /may not see that.*scope admin.*Ask for admin/);
  assert.equal(await alert.locator("code").textContent(), "admin");
  await accessible(page, "a problem");
  assert(await page.getByRole("heading", { name: "Input" }).isVisible());
});

test("a host that is away is said to be, and can be asked again", async (t) => {
  const page = await open(t, "denials", { prepare: (page) => page.route("**/v1/denials*", (route) => route.abort()) });
  assert.match(await page.getByRole("alert").textContent(), /does not answer.*packhost serve/);
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { level: 2 }).first().waitFor();
});

test("what takes over a second says that it goes on", async (t) => {
  let release;
  const held = new Promise((done) => { release = done; });
  const page = await open(t, "packs");
  await page.clock.install();
  await page.route("**/v1/denials*", async (route) => { await held; await route.continue(); });
  await page.evaluate(() => { location.hash = "#/denials"; });
  await page.getByRole("heading", { level: 1, name: "Denials" }).waitFor();
  await page.clock.runFor(900);
  assert.equal(await page.getByRole("progressbar").count(), 0);
  await page.clock.runFor(200);
  await page.getByRole("progressbar").waitFor();
  assert.equal(await page.locator("#said").textContent(), "Loading…");
  release();
  await settled(page);
  assert.equal(await page.getByRole("progressbar").count(), 0);
});

test("live calls are asked for every two seconds, until they are paused or nobody looks", async (t) => {
  const page = await open(t, "packs");
  await page.clock.install();
  let asked = 0;
  await page.route("**/v1/live*", (route) => { asked += 1; return route.continue(); });
  /** From `act` on, minutes go by in which the host is not asked. */
  const silent = async (why, act) => {
    const was = asked;
    await act();
    for (let minutes = 0; minutes < 3; minutes++) {
      await page.clock.runFor(60_000);
      // Requests leave in order: once this one is answered, those before it are known, and their answers are there.
      await page.evaluate(() => fetch("../v1/health").then((response) => response.text()));
    }
    assert.equal(asked, was, why);
  };
  await page.evaluate(() => { location.hash = "#/calls"; });
  await page.getByText("Up to date").waitFor();
  const next = page.waitForRequest("**/v1/live*");
  await page.clock.runFor(2100);
  await next;
  await page.getByText("Up to date").waitFor();
  const pause = page.getByRole("button", { name: "Pause" });
  await silent("it is paused", () => pause.click());
  assert.equal(await pause.getAttribute("aria-pressed"), "true");
  const again = page.waitForRequest("**/v1/live*");
  await pause.click();
  await again;
  await page.getByText("Up to date").waitFor();
  await silent("nobody looks", () => page.evaluate(() => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
    document.dispatchEvent(new Event("visibilitychange"));
  }));
  const back = page.waitForRequest("**/v1/live*");
  await page.evaluate(() => {
    delete document.hidden;
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await back;
  await page.getByText("Up to date").waitFor();
  await silent("another page is shown", () => page.evaluate(() => { location.hash = "#/packs"; }));
});

test("a pack's page says what it may, where that is written, and how it is called", async (t) => {
  const page = await open(t, "packs/http.fetch");
  const rows = page.getByRole("table").first().getByRole("row");
  assert.match(await rows.last().textContent(), /\.yaml:\d+/);
  assert(await page.getByRole("heading", { name: "What it asks for" }).isVisible());
  assert.match(await page.locator("pre").first().textContent(), /^packhost call http\.fetch '\{/);
  await page.goto(`${url}#/packs`);
  await settled(page);
  await page.getByLabel("Find a pack").fill("text statistics");
  assert.equal(await page.locator("tbody tr:visible").count(), 1);
});

test("a denial comes with the edit that would allow it, which reads without colours", async (t) => {
  const page = await open(t, "denials");
  const put = page.locator(".diff ins");
  assert.notEqual(await put.count(), 0);
  for (const line of await put.allTextContents()) assert.match(line, /^\+/);
  const [back, around] = await put.first().evaluate((line) =>
    [line, line.closest("pre")].map((one) => getComputedStyle(one).backgroundColor));
  assert.notEqual(back, around, "it is coloured as well");
  assert.match(await page.locator(".command").first().textContent(), /^packhost policy suggest \S+ --write$/);
});

test("the record is searched by what is in the address, and opened whole", async (t) => {
  const page = await open(t, "record");
  await page.getByText("Nothing is changed, missing or out of order.").waitFor();
  await page.getByLabel("Kind").selectOption({ label: "calls" });
  await page.getByLabel("Outcome").selectOption("egress_denied");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.waitForURL(/kind=call&outcome=egress_denied/);
  await settled(page);
  assert.equal(await page.getByLabel("Outcome").inputValue(), "egress_denied");
  const outcomes = await page.locator("tbody tr td:last-child").allTextContents();
  assert.notEqual(outcomes.length, 0);
  assert(outcomes.every((word) => word === "egress denied"));
  await page.locator('tbody a[href^="#/record/"]').first().click();
  await page.getByRole("heading", { name: "Contacts" }).waitFor();
  assert.match(await page.locator(".facts").last().textContent(), /sha256:[0-9a-f]{64}/);
  await page.getByText("The record as it stands in the log").click();
  const entry = JSON.parse(await page.locator("details pre").textContent());
  assert.equal(entry.body.outcome, "egress_denied");
});

test("older records are put below, and read on from the first of them", async (t) => {
  const page = await open(t, "denials");
  const body = { actor: "ada", verb: "vault.rm", subject: "A", outcome: "done" };
  const records = (from) => [from, from - 1].map((n) => ({ n, time: "2026-03-01T09:30:00.000250Z", kind: "act", body }));
  await page.route("**/v1/audit?*", (route) => {
    const before = new URL(route.request().url()).searchParams.get("before");
    return route.fulfill({ json: before ? { records: records(7), next: null } : { records: records(9), next: 8 } });
  });
  await go(page, "record");
  await page.getByRole("button", { name: "Older records" }).click();
  await page.waitForFunction(() => document.activeElement.textContent === "7");
  assert.deepEqual(await page.locator("tbody th").allTextContents(), ["9", "8", "7", "6"]);
  assert.equal(await page.getByRole("button", { name: "Older records" }).isVisible(), false);
});

test("a record that was tampered with is said to be, and where", async (t) => {
  const finding = { what: "changed", file: "00000001.log", line: 8, byte: 3421, n: 8, expected: "hash d6", found: "hash a8" };
  const report = { findings: [finding], more: 0, first: 1, last: { n: 59 }, records: 59, segments: 1, checkpoints: 2, removed: null,
    proven: { n: 6, key_id: "c902d8ca1e771f53", time: "2026-11-27T21:42:02.463981Z" }, torn: null, intact: false };
  const page = await open(t, "", { prepare: (page) => answer(page, "audit/verification", report) });
  await page.getByText("The record is not as this host wrote it: 1 thing.").waitFor();
  await go(page, "record");
  await page.getByText("One thing is not as this host wrote it.").waitFor();
  await page.getByText("00000001.log:8, byte 3421").waitFor();
  assert.match(await page.locator(".verified .facts").textContent(), /up to record 6/);
  await accessible(page, "a broken record");
});

test("an artifact is shown, checked, and downloaded as it is", async (t) => {
  const page = await open(t, "artifacts");
  await page.locator(".thumbnail").first().scrollIntoViewIfNeeded();
  const small = page.locator(".thumbnail img").first();
  await small.waitFor();
  await page.locator("tr", { has: small }).first().getByRole("link").first().click();
  const large = page.locator(".part > img");
  await large.waitFor();
  assert.match(await large.getAttribute("src"), /^blob:/);
  await page.waitForFunction(() => document.querySelector(".part > img").naturalWidth > 0);
  await page.getByText("sound", { exact: true }).waitFor();
  const digest = (await page.locator(".facts").textContent()).match(/sha256:([0-9a-f]{64})/)[1];
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: /^Download/ }).click();
  const file = await (await downloading).path();
  assert.equal(createHash("sha256").update(readFileSync(file)).digest("hex"), digest);
  assert.deepEqual(page.complaints, []);
});

test("what others wrote is text, whatever it looks like", async (t) => {
  const evil = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>";
  const page = await open(t, "packs", { prepare: (page) => answer(page, "packs", { revision: "1", packs: [{
    name: evil, tool: "t", title: evil, description: evil, callable: true,
    effects: { read_only: true, destructive: false, idempotent: true, open_world: false },
  }] }) });
  assert.equal(await page.locator("main img, main script").count(), 0);
  assert.equal(await page.locator("tbody a").first().textContent(), evil);
  assert.notEqual(await page.title(), "broken");
});

test("the pages of a host on which nothing has happened say what to do next", async (t) => {
  const nothing = { packs: [], calls: [], sessions: [], workspaces: [], records: [], next: null, artifacts: [], credentials: [] };
  const page = await open(t, "", { prepare: async (page) => {
    for (const path of ["packs", "live", "sessions", "workspaces", "denials", "audit", "artifacts", "credentials"]) await answer(page, path, nothing);
  } });
  for (const path of PAGES.slice(1)) {
    await go(page, path);
    const said = page.locator(".empty:visible, .table > p:visible").first();
    assert.match(await said.locator("code").last().textContent(), /^packhost |vault:NAME/, path);
    await accessible(page, `${path} while it is empty`);
  }
  assert.deepEqual(page.complaints, []);
});
