// One record, all of it, and what a record says in a line.

import { get } from "./api.js";
import { bar, code, empty, facts, h, lines, link, more, section, toPack } from "./dom.js";
import { many, moment, outcome } from "./format.js";
import { call } from "./call.js";
import { part } from "./part.js";
import { verification } from "./verification.js";

export function show({ arg, signal }) {
  const body = part(signal, async () => {
    const n = Number(arg);
    const newest = link("The newest records", "record");
    if (!Number.isSafeInteger(n) || n < 1) return empty(`"${arg}" is no number of a record. `, newest);
    const { records } = await get("audit", { before: n + 1, limit: 1 }, signal);
    const entry = records.find((one) => one.n === n);
    if (!entry) return empty(`There is no record ${n}: it was not written yet, or retention has removed it. `, newest);
    return [
      h("p", { class: "lead" }, what(entry)),
      facts(
        ["Time", moment(entry.time)],
        ["Kind", entry.kind],
        ["Who", who(entry)],
        ["Outcome", outcome(entry.body.outcome)],
        ["Proven", part(signal, () => proof(n))],
      ),
      entry.kind === "call" ? call(entry, signal) : section("What it says", rest(entry.body)),
      more("The record as it stands in the log", lines(JSON.stringify(entry, null, 2))),
      bar(n > 1 && link(`Record ${n - 1}`, "record", n - 1), link(`Record ${n + 1}`, "record", n + 1), newest),
    ];
  });
  return { title: `Record ${arg}`, body: [body] };
}

/** How far the signatures reach, and whether this one is among what is broken. */
async function proof(n) {
  const { findings, proven } = await verification();
  if (findings.some((one) => one.n === n)) {
    return ["no: it is not as this host wrote it. ", link("See where the record broke", "record")];
  }
  if (proven && n <= proven.n) return `by the signature at record ${proven.n}`;
  return findings.length > 0
    ? "no: it stands after a place where the record broke"
    : "not yet: it fits the records before it, and the next checkpoint proves it";
}

/** What an entry is about, in a line. */
export function what({ kind, body }) {
  switch (kind) {
    case "call": {
      const refused = (body.contacts ?? []).filter(({ decision }) => decision.startsWith("denied")).length;
      return [body.pack ? toPack(body.pack) : `no pack of the name "${body.tool}"`, " was called",
        refused > 0 && `, ${many(refused, "request")} refused`,
        body.artifacts?.length > 0 && `, ${many(body.artifacts.length, "artifact")} made`];
    }
    case "act": return [code(body.verb), " ", body.subject];
    case "credential": {
      const name = link(body.credential, "credentials", { name: body.credential });
      return [name, ` went to ${body.host}, ${body.place}, for `, toPack(body.pack)];
    }
    case "session": return ["sandbox ", code(body.id), ` on ${body.backend}: ${body.event}`];
    case "checkpoint": return `everything up to record ${body.checkpoint?.n ?? "?"} was signed`;
    case "segment": return `file ${body.segment} of the log begins`;
    default: return kind;
  }
}

/** Who did it. A sandbox that nobody was given has no owner. */
export function who({ kind, body }) {
  return kind === "act" ? body.actor : kind === "session" ? body.owner : body.caller;
}

/** The names and values of what has no page of its own, nested ones with a dot between. */
function rest(body) {
  const pairs = (value, path) => Object.entries(value).flatMap(([name, inner]) => {
    const whole = path ? `${path}.${name}` : name;
    return typeof inner === "object" && inner !== null ? pairs(inner, whole) : [[whole, String(inner)]];
  });
  return facts(...pairs(body, "").map(([name, value]) => [name.replaceAll("_", " "), value]));
}
