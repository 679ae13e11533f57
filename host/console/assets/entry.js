// One record, all of it, and what a record says in a line.

import { get } from "./api.js";
import { facts, h, lines, link, more, section } from "./dom.js";
import { many, moment, outcome } from "./format.js";
import { call } from "./call.js";
import { part } from "./part.js";
import { verification } from "./verification.js";

export function show({ arg, signal }) {
  const body = part(signal, async () => {
    const n = Number(arg);
    const { records } = Number.isSafeInteger(n) && n > 0 ? await get("audit", { before: n + 1, limit: 1 }, signal) : { records: [] };
    const entry = records.find((one) => one.n === n);
    if (!entry) {
      return h("p", { class: "empty" }, `There is no record ${arg}: it was not written yet, or retention has removed it. `, link("The newest records", "record"));
    }
    return [
      h("p", { class: "lead" }, what(entry)),
      facts(["Time", moment(entry.time)], ["Kind", entry.kind], ["Who", who(entry)], ["Outcome", outcome(entry.body.outcome)],
        ["Proven", part(signal, () => proof(n))]),
      entry.kind === "call" ? call(entry, signal) : section("What it says", rest(entry.body)),
      more("The record as it stands in the log", lines(JSON.stringify(entry, null, 2))),
      h("p", { class: "bar" }, n > 1 && link(`Record ${n - 1}`, "record", n - 1), link(`Record ${n + 1}`, "record", n + 1), link("All records", "record")),
    ];
  });
  return { title: `Record ${arg}`, body: [body] };
}

/** How far the signatures reach, and whether this one is among what is broken. */
async function proof(n) {
  const { findings, proven } = await verification();
  if (findings.some((one) => one.n === n)) return ["no: it is not as this host wrote it. ", link("See where the record broke", "record")];
  if (proven && n <= proven.n) return `by the signature at record ${proven.n}`;
  return findings.length > 0 ? "no: it stands after a place where the record broke" : "not yet: it fits the records before it, and the next checkpoint proves it";
}

/** What an entry is about, in a line. */
export function what({ kind, body }) {
  switch (kind) {
    case "call": {
      const refused = (body.contacts ?? []).filter(({ decision }) => decision.startsWith("denied")).length;
      return [body.pack ? link(body.pack, "packs", body.pack) : `no pack of the name "${body.tool}"`, " was called",
        refused > 0 && `, ${many(refused, "request")} refused`,
        body.artifacts?.length > 0 && `, ${many(body.artifacts.length, "artifact")} made`];
    }
    case "act": return [h("code", {}, body.verb), " ", body.subject];
    case "credential": return [link(body.credential, "credentials", { name: body.credential }), ` went to ${body.host}, ${body.place}, for `, link(body.pack, "packs", body.pack)];
    case "session": return ["sandbox ", h("code", {}, body.id), ` on ${body.backend}: ${body.event}`];
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
