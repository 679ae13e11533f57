// Asks again every two seconds while somebody looks, and can be told to stop.

import { bar, h, say } from "./dom.js";
import { span } from "./format.js";
import { problemBox } from "./part.js";

/** Milliseconds between the end of one look and the next. */
const PAUSE = 2000;

/** A bar with a button that pauses, over what `look` keeps up to date. */
export function live(signal, look) {
  const state = h("span", {}, "Loading…");
  const button = h("button", { type: "button", "aria-pressed": "false", onclick: toggle }, "Pause");
  const wrong = h("div");
  let [paused, looking] = [false, false];
  let timer;

  async function turn() {
    clearTimeout(timer);
    if (signal.aborted || paused || document.hidden || looking) return;
    looking = true;
    const slow = setTimeout(() => { state.textContent = "Waiting for the host…"; }, 1000);
    try {
      await look();
      wrong.replaceChildren();
      if (!paused) state.textContent = `Up to date. The host is asked every ${span(PAUSE)}.`;
    } catch (problem) {
      if (signal.aborted) return;
      // The same news every two seconds is none.
      if (wrong.dataset.said !== problem.message || !wrong.hasChildNodes()) wrong.replaceChildren(problemBox(problem));
      wrong.dataset.said = problem.message;
      state.textContent = "What is shown may be old.";
      if (problem.status === 401 || problem.status === 403) return pause();
    } finally {
      clearTimeout(slow);
      looking = false;
    }
    timer = setTimeout(turn, PAUSE);
  }

  function pause() {
    paused = true;
    button.setAttribute("aria-pressed", "true");
    state.textContent = "Paused.";
  }

  function toggle() {
    if (!paused) {
      pause();
      say("Paused.");
      return;
    }
    paused = false;
    button.setAttribute("aria-pressed", "false");
    say("Goes on.");
    turn();
  }

  document.addEventListener("visibilitychange", turn, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  turn();
  return h("div", {}, bar(button, state), wrong);
}
