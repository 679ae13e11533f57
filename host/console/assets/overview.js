// The first page: what needs attention, what runs now, and what was called last.

import { get } from "./api.js";
import { recentCalls } from "./calls.js";
import { empty, h, link, p, section } from "./dom.js";
import { badge, many, moment } from "./format.js";
import { part, quoted } from "./part.js";
import { verification } from "./verification.js";

export function show({ signal }) {
  const body = [
    section("Needs attention", part(signal, () => attention(signal))),
    section("Now", part(signal, () => now(signal))),
    section("Latest calls", part(signal, async () => {
      const { records } = await get("audit", { kind: "call", limit: 8 }, signal);
      return [recentCalls(records), p(link("All calls", "calls"))];
    })),
  ];
  return { title: "Overview", body };
}

/** Every source for itself: what this token may not see takes nothing away from the rest. */
async function attention(signal) {
  const sources = [record, denials, credentials, failures];
  const found = await Promise.all(sources.map((look) => look(signal).catch(unseen)));
  // The same problem may have come from several of them.
  const items = [...new Map(found.flat().map((one) => [`${one.word} ${one.text}`, one])).values()];
  items.sort((a, b) => (b.tone === "bad") - (a.tone === "bad"));
  if (items.length > 0) return h("ul", { class: "attention" }, items.map(shown));
  return empty(badge("all well", "good"), " The record is as it was written, nothing was refused lately, ",
    "no call has broken, and every credential can be used.");
}

function shown({ word, tone, text }) {
  return h("li", {}, badge(word, tone), h("span", {}, text));
}

/** Something that somebody should look at: a word and its tone, and a text. */
function item(word, tone, ...text) {
  return { word, tone, text };
}

function unseen(problem) {
  return [item("not known", "note", problem.message, " ", quoted(problem.fix ?? ""))];
}

async function record() {
  const { intact, findings, more, proven, records } = await verification();
  if (!intact) {
    const count = many(findings.length + more, "thing");
    return [item("changed", "bad", `The record is not as this host wrote it: ${count}. `, link("See where", "record"))];
  }
  if (records === 0 || proven) return [];
  return [item("unproven", "note", "No signature of this host is on the record yet. ", link("See the record", "record"))];
}

async function denials(signal) {
  const { packs } = await get("denials", {}, signal);
  return packs.map(({ pack, denied }) => {
    const [word, did] = denied.every((one) => one.reported) ? ["reported", "made"] : ["denied", "was refused"];
    const what = many(denied.length, "different request");
    const last = Math.max(...denied.map((one) => one.last));
    return item(word, "note", `${pack} ${did} ${what} that no rule allows, the last at `, moment(last), ". ",
      link(`See the edit for ${pack}`, "denials", { pack }));
  });
}

async function credentials(signal) {
  const { credentials } = await get("credentials", {}, signal);
  const unused = credentials.filter(({ uses }) => !uses.some((use) => use.manifest));
  return unused.map(({ name, uses }) => item("unused", "note",
    uses.length === 0
      ? `No pack that is here may use ${name}. `
      : `${name} is bound to ${uses[0].pack}, and no rule of the manifest lets it be used. `,
    link(`See ${name}`, "credentials", { name })));
}

/** Of the host or a pack, and not of who called: what a caller did wrong, the caller was told. */
const BROKEN = [
  "internal", "invalid_output", "schema_mismatch", "session_unavailable", "resource_exhausted", "timeout", "artifact_failed",
];

async function failures(signal) {
  const { records } = await get("audit", { kind: "call,act", limit: 200, since: "24h" }, signal);
  const groups = new Map();
  for (const { kind, body: { pack, verb, outcome } } of records) {
    const broke = kind === "act" ? outcome.startsWith("failed") : pack && BROKEN.includes(outcome);
    if (!broke) continue;
    const [what, search] = kind === "act" ? [verb, { kind, outcome }] : [pack, { kind, pack, outcome }];
    const group = groups.get(what + outcome) ?? { what, search, count: 0 };
    groups.set(what + outcome, { ...group, count: group.count + 1 });
  }
  return [...groups.values()].map(({ what, search, count }) => {
    const [often, them] = count === 1 ? ["once", "it"] : [`${count} times`, "them"];
    return item(search.outcome.replaceAll("_", " "), "bad", `${what}, ${often} of late. `,
      link(`See ${them}`, "record", search));
  });
}

/** What this token may not see has no number. */
async function now(signal) {
  const asked = [
    get("live", {}, signal), get("sessions", { all: true }, signal), get("packs", {}, signal), verification(),
  ];
  const [live, boxes, packs, report] = await Promise.all(asked.map((one) => one.catch(() => null)));
  const calls = (place) => live?.calls.filter((call) => call.place === place).length;
  const numbers = [
    ["Calls running", "calls", calls("running")],
    ["Calls waiting", "calls", calls("waiting")],
    ["Sandboxes", "sessions", boxes?.sessions.length],
    ["Packs served", "packs", packs?.packs.length],
    ["Records", "record", report && (report.last?.n ?? 0)],
    ["Proven up to", "record", report && (report.proven?.n ?? "nothing")],
  ];
  return h("dl", { class: "numbers" }, numbers.map(([name, page, value]) =>
    h("div", {}, h("dt", {}, link(name, page)), h("dd", {}, (value ?? "?").toLocaleString("en")))));
}
