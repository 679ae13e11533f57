// Whether the record is what this host wrote, and how far that is proven.

import { get } from "./api.js";
import { command, facts, h, link, say } from "./dom.js";
import { badge, many, moment } from "./format.js";
import { part } from "./part.js";
import { table } from "./table.js";

/** Milliseconds for which an answer is good: the host reads all of the record for it. */
const FRESH = 30_000;
let known = { at: -Infinity };

/** The host's report, or the one that it gave a moment ago. */
export function verification(again = false) {
  if (again || performance.now() - known.at > FRESH) {
    const report = get("audit/verification");
    known = { at: performance.now(), report };
    report.catch(() => { known = { at: -Infinity }; });
  }
  return known.report;
}

/** The report on a page, with a button that asks for another one. */
export function verified(signal) {
  const box = h("div");
  const look = (again) => box.replaceChildren(part(signal, async () => {
    const report = await verification(again);
    if (again) say(report.intact ? "The record is intact." : "The record was changed.");
    return words(report);
  }));
  look(false);
  return h("div", { class: "verified" }, box, h("button", { type: "button", onclick: () => look(true) }, "Verify again"));
}

function words(report) {
  const { intact, findings, more, first, last, records, segments, checkpoints, removed, torn } = report;
  const read = [many(records, "record"), last && ` (${first} to ${last.n})`, ` in ${many(segments, "file")}, ${many(checkpoints, "good signature")}`];
  return [
    h("p", { class: "verdict" }, intact
      ? [badge("intact", "good"), " Nothing is changed, missing or out of order."]
      : [badge("changed", "bad"), ` ${findings.length + more === 1 ? "One thing is" : `${findings.length + more} things are`} not as this host wrote ${findings.length + more === 1 ? "it" : "them"}.`]),
    facts(
      ["Read", read],
      ["Proven", proof(report)],
      ["After that", rest(report)],
      ["Removed", removed && `by retention, up to record ${removed.n}: signed for, not to be read any more`],
      ["Torn", torn !== null && torn !== undefined && `the last file ends with a part of a record, at byte ${torn}: one is being written, or its process died`],
    ),
    !intact && [broken(findings, more), h("p", {}, "Keep the directory ", h("code", {}, "audit"), " of the state as evidence, and compare with a checkpoint that was kept elsewhere: ",
      command("packhost audit verify --checkpoint FILE"))],
  ];
}

function proof({ proven }) {
  if (!proven) return ["nothing: no signature of this host's keys is in it. This signs one: ", command("packhost audit checkpoint")];
  return [`up to record ${proven.n.toLocaleString("en")}, `, moment(proven.time), ", by a signature of ", h("code", {}, proven.key_id)];
}

function rest({ intact, proven, last }) {
  const count = (last?.n ?? 0) - (proven?.n ?? 0);
  if (!proven || count <= 0) return null;
  if (!intact) return `${many(count, "record")} that no signature of the same chain covers`;
  return count === 1 ? "1 record that fits; the next checkpoint proves it" : `${count.toLocaleString("en")} records that fit; the next checkpoint proves them`;
}

function broken(findings, more) {
  return [table({
    caption: "Where the record broke: what should be there, and what is.",
    columns: [
      { name: "What", cell: ({ what }) => badge(what, "bad") },
      { name: "Where", cell: ({ file, line, byte }) => h("code", {}, line > 0 ? `${file}:${line}, byte ${byte}` : file) },
      { name: "Record", cell: ({ n }) => n && link(n, "record", n) },
      { name: "Expected", cell: ({ expected }) => h("code", {}, expected) },
      { name: "Found", cell: ({ found }) => h("code", {}, found) },
    ],
    rows: findings,
  }), more > 0 && h("p", {}, `There are ${more} more; `, command("packhost audit verify"), " has them.")];
}
