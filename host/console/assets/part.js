// A part of a page that has to be loaded: says so when that takes over a second, and in words what went wrong.

import { code, h, p, say } from "./dom.js";

/** Milliseconds after which somebody who waits is told that it goes on. */
const PATIENCE = 1000;

/** An element that is filled with what `load` comes back with, unless the page was left meanwhile. */
export function part(signal, load) {
  const box = h("div", { class: "part", tabindex: "-1" });
  const fill = async () => {
    try {
      const loaded = await slowly(load(), box);
      if (signal.aborted) return;
      const held = box.contains(document.activeElement);
      box.replaceChildren(...[loaded].flat(Infinity).filter(Boolean));
      // Where "Try again" was, there is nothing to hold the focus any more.
      if (held) box.focus();
    } catch (problem) {
      if (!signal.aborted) box.replaceChildren(problemBox(problem, fill));
    }
  };
  fill();
  return box;
}

/** Waits for work, and shows in `box` that it goes on once it takes long. */
export async function slowly(work, box) {
  box.setAttribute("aria-busy", "true");
  let told = false;
  const timer = setTimeout(() => {
    told = true;
    box.replaceChildren(h("p", { class: "loading" }, h("progress", { "aria-label": "Loading" }), " Loading…"));
    say("Loading…");
  }, PATIENCE);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
    if (told) say("");
    box.removeAttribute("aria-busy");
  }
}

/** What went wrong, and what to change. */
export function problemBox(problem, again) {
  const known = problem.status !== undefined;
  const title = problem.status === 403 ? "This token may not see that." : known ? problem.title : "This page is broken.";
  return h("div", { class: "problem", role: "alert" },
    p(h("strong", {}, title ?? "That did not work."), " ", problem.message),
    problem.fix && p(quoted(problem.fix)),
    again && h("button", { type: "button", onclick: again }, "Try again"));
}

/** A sentence with its `commands` set as such. */
export function quoted(text) {
  return text.split("`").map((piece, index) => (index % 2 ? code(piece) : piece));
}
