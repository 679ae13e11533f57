// Starts the console: which pages there are, which one is shown, and whether somebody has to log in first.

import { events, forgetToken, get, hasToken } from "./api.js";
import { address, bullets, code, h, link, p, say } from "./dom.js";
import { badge } from "./format.js";
import * as artifacts from "./artifacts.js";
import * as calls from "./calls.js";
import * as credentials from "./credentials.js";
import * as denials from "./denials.js";
import { login } from "./login.js";
import * as overview from "./overview.js";
import * as packs from "./packs.js";
import * as record from "./record.js";
import * as sessions from "./sessions.js";

/**
 * The first part of the hash, the name in the list, and the module. Its `show({ arg, query, signal })` comes back at once
 * with a `title` and a `body`; what has to be loaded is a `part`. `signal` is aborted when the page is left.
 */
const PAGES = [
  ["", "Overview", overview],
  ["packs", "Packs", packs],
  ["calls", "Calls", calls],
  ["denials", "Denials", denials],
  ["record", "Record", record],
  ["artifacts", "Artifacts", artifacts],
  ["sessions", "Sessions", sessions],
  ["credentials", "Credentials", credentials],
];

const [main, nav, menu, logout] = ["main", "nav", "menu", "logout"].map((id) => document.getElementById(id));
let leaving = new AbortController();

function start() {
  nav.append(bullets(PAGES.map(([path, name]) => link(name, path))));
  menu.addEventListener("click", () => open(menu.getAttribute("aria-expanded") !== "true"));
  nav.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || menu.getAttribute("aria-expanded") !== "true") return;
    open(false);
    menu.focus();
  });
  document.getElementById("skip").addEventListener("click", (event) => {
    // The hash is the page's address, and is not for this.
    event.preventDefault();
    main.focus();
  });
  logout.addEventListener("click", () => {
    forgetToken();
    show(login(navigate), true);
  });
  events.addEventListener("login", ({ detail }) => {
    // Several requests come back so at once; and the form asks itself.
    if (nav.hidden) return;
    const again = hasToken();
    forgetToken();
    show(login(navigate, again ? detail : null), true);
  });
  addEventListener("hashchange", () => navigate());
  addEventListener("click", ({ target }) => {
    // A link to where we are asks for what is there now.
    if (target.closest("a")?.getAttribute("href") === location.hash) navigate();
  });
  navigate(false);
}

function open(is) {
  menu.setAttribute("aria-expanded", is);
  nav.classList.toggle("open", is);
}

/** What the hash asks for: `#/packs/http.fetch?…`. */
function here() {
  const [path, search] = location.hash.replace(/^#?\/?/, "").split("?");
  const [name = "", ...rest] = path.split("/").map(decoded);
  return { name, arg: rest.length > 0 ? rest.join("/") : undefined, query: new URLSearchParams(search) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function navigate(moved = true) {
  const { name, arg, query } = here();
  const page = PAGES.find(([path]) => path === name);
  for (const a of nav.querySelectorAll("a")) {
    const is = page && a.getAttribute("href") === address([page[0]]);
    if (is) a.setAttribute("aria-current", arg ? "true" : "page");
    else a.removeAttribute("aria-current");
  }
  leave();
  show(page ? page[2].show({ arg, query, signal: leaving.signal }) : nowhere(name), moved);
  status(leaving.signal);
}

function leave() {
  leaving.abort();
  leaving = new AbortController();
  open(false);
  say("");
}

/** Puts a page up. Whoever came to it by a link goes on reading at its heading. */
function show({ title, body, alone }, moved) {
  if (alone) leave();
  const heading = h("h1", { tabindex: "-1" }, title);
  main.replaceChildren(heading, ...body.flat(Infinity).filter(Boolean));
  document.title = `${title} – packhost console`;
  nav.hidden = menu.hidden = alone === true;
  logout.hidden = alone === true || !hasToken();
  if (moved) {
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function nowhere(name) {
  const body = [p(`There is no page "${name}". `, link("The overview", ""), " says what there is.")];
  return { title: "No such page", body };
}

/** The host, in the head of every page. What it says about itself is no reason to disturb a page. */
async function status(signal) {
  const line = document.getElementById("host");
  try {
    const { status, version, revision } = await get("health", {}, signal);
    line.replaceChildren(badge(status, status === "ok" ? "good" : "bad"), ` version ${version}, manifest `, code(revision));
  } catch (problem) {
    if (!signal.aborted) line.replaceChildren(badge(problem.status ? "not known" : "does not answer", "bad"));
  }
}

start();
