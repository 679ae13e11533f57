// Whether the record is what this host wrote, and how far that is proven.

import { get } from "./api.js";
import { code, command, facts, h, link, p, say } from "./dom.js";
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
  const range = last ? ` (${first} to ${last.n})` : "";
  return [
    p(intact
      ? [badge("intact", "good"), " Nothing is changed, missing or out of order."]
      : [badge("changed", "bad"), ` ${are(findings.length + more)} not as this host wrote it.`]),
    facts(
      ["Read", `${many(records, "record")}${range} in ${many(segments, "file")}, ${many(checkpoints, "good signature")}`],
      ["Proven", proof(report)],
      ["After that", rest(report)],
      ["Removed", removed && `by retention, up to record ${removed.n}: signed for, not to be read any more`],
      ["Torn", Number.isInteger(torn) &&
        `the last file ends with a part of a record, at byte ${torn}: one is being written, or its process died`],
    ),
    !intact && [
      broken(findings, more),
      p("Keep the directory ", code("audit"), " of the state as evidence, and compare with a checkpoint ",
        "that was kept elsewhere: ", command("packhost audit verify --checkpoint FILE")),
    ],
  ];
}

function are(count) {
  return count === 1 ? "One thing is" : `${count.toLocaleString("en")} things are`;
}

function proof({ proven }) {
  if (!proven) return ["nothing: it has no signature of this host. This makes one: ", command("packhost audit checkpoint")];
  return [`up to record ${proven.n.toLocaleString("en")}, `, moment(proven.time), ", by a signature of ", code(proven.key_id)];
}

function rest({ intact, proven, last }) {
  const count = (last?.n ?? 0) - (proven?.n ?? 0);
  if (!proven || count <= 0) return null;
  if (!intact) return `${many(count, "record")} that no signature of the same chain covers`;
  if (count === 1) return "1 record that fits; the next checkpoint proves it";
  return `${many(count, "record")} that fit; the next checkpoint proves them`;
}

function broken(findings, more) {
  return [table({
    caption: "Where the record broke: what should be there, and what is.",
    columns: [
      { name: "What", cell: ({ what }) => badge(what, "bad") },
      { name: "Where", cell: ({ file, line, byte }) => code(line > 0 ? `${file}:${line}, byte ${byte}` : file) },
      { name: "Record", cell: ({ n }) => n && link(n, "record", n) },
      { name: "Expected", cell: ({ expected }) => code(expected) },
      { name: "Found", cell: ({ found }) => code(found) },
    ],
    rows: findings,
  }), more > 0 && p(`There are ${more} more; `, command("packhost audit verify"), " has them.")];
}
