// How times, sizes, digests and outcomes are written, the same on every page.

import { h, soft } from "./dom.js";

/** A moment, in milliseconds since 1970 or as RFC 3339: `2026-03-01 09:30:00`, in UTC. */
export function moment(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return "?";
  const text = date.toISOString();
  return h("time", { datetime: text, title: typeof at === "string" ? at : text }, text.slice(0, 19).replace("T", " "));
}

/** How long ago that was, as a text. */
export function ago(at) {
  return `${span(Date.now() - new Date(at))} ago`;
}

/** A span in milliseconds as people say it: `0.4 ms`, `3.2 s`, `7 min`, `3 h`, `4 days`. */
export function span(ms) {
  if (ms < 0) return "0 s";
  if (ms < 1000) return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`;
  const s = ms / 1000;
  if (s < 10) return `${Math.round(s * 10) / 10} s`;
  if (s < 120) return `${Math.floor(s)} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} days`;
}

/** A number of bytes: `512 B`, `1.5 KiB`, `20.0 MiB`. */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const step = bytes < 2 ** 20 ? 1 : bytes < 2 ** 30 ? 2 : 3;
  return `${(bytes / 1024 ** step).toFixed(1)} ${["", "KiB", "MiB", "GiB"][step]}`;
}

/** `1 call`, `2 calls`. */
export function many(count, one, several = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : several}`;
}

/** A place in a manifest, `FILE:LINE`, whichever way it was sent. */
export function place(where) {
  if (!where) return null;
  return h("code", { class: "place" }, soft(typeof where === "string" ? where : `${where.file}:${where.line}`));
}

/** A word that says how something is. `tone` is good, note or bad; the word has to say it as well. */
export function badge(word, tone) {
  return h("span", { class: `badge ${tone}` }, word);
}

const TONES = {
  good: ["ok", "done", "allowed", "sound", "running", "ready", "started"],
  note: [
    "asks", "begun", "pending", "waiting", "starting", "cancelled", "unsigned", "gone", "unknown",
    // The caller's own slips, of which the caller was told.
    "invalid_input", "not_found",
  ],
  plain: ["ended", "given", "used again"],
};

/** An outcome, a decision or a state, in the host's own word. Words that are not known here are bad news. */
export function outcome(word) {
  if (!word) return null;
  const tone = Object.keys(TONES).find((tone) => TONES[tone].includes(word));
  return badge(word.replaceAll("_", " "), tone ?? "bad");
}
