// A call as the record has it: contacts with each decision, credentials and where they went, sandbox, artifacts, hashes.

import { get } from "./api.js";
import { facts, h, lines, link, section } from "./dom.js";
import { url } from "./denials.js";
import { moment, outcome, place, size, span } from "./format.js";
import { part } from "./part.js";
import { table } from "./table.js";

export function call({ n, body }, signal) {
  const { contacts = [], denied = [], artifacts = [], mends = [], grants = [], session, input } = body;
  return [
    section("The call", facts(...about(body))),
    (contacts.length > 0 || denied.length > 0) && section("Contacts", contacted(contacts, body.more_contacts), refused(denied, body.pack)),
    credentials(n, body, signal),
    grants.length > 0 && section("Grants that it used", h("ul", {}, grants.map((grant) => h("li", {}, h("code", {}, grant))))),
    session && section("Sandbox", facts(
      ["Sandbox", h("code", {}, session.id)],
      ["Backend", session.backend],
      ["It was", session.reused ? "left by an earlier call of the same caller" : session.warm ? "standing ready" : "started for this call"],
      ["Why not another", session.why],
    )),
    artifacts.length > 0 && section("Artifacts", made(artifacts), h("p", {}, link("See those that are still there", "artifacts", { run: body.run }))),
    mends.length > 0 && section("Mended in the input", h("ul", {}, mends.map(({ pointer, what }) => h("li", {}, h("code", {}, pointer), ` ${what.replaceAll("_", " ")}`)))),
    input !== undefined && section("Input", lines(JSON.stringify(input, null, 2))),
  ];
}

function about(body) {
  const { run, trace, caller, door, client, protocol, tool, digest, revision, input_sha256, output_sha256, started } = body;
  return [
    ["Caller", caller],
    ["Door", [door, protocol && `, protocol ${protocol}`, client && `, by ${client.name} ${client.version}, as it calls itself`]],
    ["Asked for as", h("code", {}, tool)],
    ["Came in", moment(started)],
    ["Took", `${span(body.total_us / 1000)} in all: waited ${span(body.queued_us / 1000)} for a place, ran ${span(body.ran_us / 1000)}`],
    ["Memory", `${size(body.memory)} at most`],
    ["Requests", body.requests],
    ["Run", h("code", {}, run)],
    ["Trace", trace && h("code", {}, trace)],
    ["Component", digest && h("code", {}, digest)],
    ["Manifest", revision && ["revision ", h("code", {}, revision)]],
    ["Input", input_sha256 && h("code", {}, input_sha256)],
    ["Output", output_sha256 && h("code", {}, output_sha256)],
    ["Cause of the failure", body.cause_sha256 && [h("code", {}, body.cause_sha256), h("small", {}, "the operator's log has the text, under the run")]],
    ["Cut", body.cut && "the record would have been too large: texts and lists in it are cut"],
  ];
}

function contacted(rows, left = 0) {
  return [
    table({
      caption: "Every request that it made or tried to make, and what was decided.",
      key: (row) => rows.indexOf(row),
      columns: [
        { name: "Host", cell: ({ host, port }) => h("code", {}, `${host}:${port}`) },
        { name: "Decision", cell: ({ decision }) => outcome(decision) },
        { name: "By the rule", cell: ({ rule }) => place(rule) ?? "none" },
        { name: "Address", cell: ({ address }) => address && h("code", {}, address) },
        { name: "Sent", cell: ({ sent }) => size(sent), kind: "number" },
        { name: "Received", cell: ({ received }) => size(received), kind: "number" },
      ],
      rows,
    }),
    left > 0 && h("p", {}, `There were ${left} more, which are not on record.`),
  ];
}

function refused(denied, pack) {
  if (denied.length === 0) return null;
  return [
    h("h3", {}, "No rule allows"),
    h("ul", {}, denied.map((one) => h("li", {}, h("code", {}, `${one.method} ${url(one)}`), one.reported && " (let through, reported)"))),
    h("p", {}, link("The edit that would allow it", "denials", { pack })),
  ];
}

/** The call names them; where in a request each stood, records of their own say. */
function credentials(n, { run, credentials: used = [] }, signal) {
  if (used.length === 0) return null;
  return section("Credentials", part(signal, async () => {
    const { records } = await get("audit", { kind: "credential", run, before: n, limit: 100 }, signal);
    const found = records.map((one) => ({ n: one.n, name: one.body.credential, ...one.body }));
    return table({
      caption: "Which left with a request, and where. No value is on the record.",
      key: (row) => row.n ?? `${row.name} ${row.host}`,
      columns: [
        { name: "Credential", cell: ({ name }) => link(name, "credentials", { name }) },
        { name: "To", cell: ({ method, host, port }) => h("code", {}, `${method ? `${method} ` : ""}${host}${port ? `:${port}` : ""}`) },
        { name: "Where", cell: ({ place: where, signs }) => [where, signs && `, signed with it (${signs})`] },
        { name: "Version", cell: ({ version }) => version },
        { name: "Record", cell: (row) => row.n && link(row.n, "record", row.n) },
      ],
      rows: found.length > 0 ? found.reverse() : used,
    });
  }));
}

function made(rows) {
  return table({
    caption: "What the call left, when it ended.",
    key: (row) => rows.indexOf(row),
    columns: [
      { name: "Name", cell: ({ name }) => name },
      { name: "Size", cell: (one) => size(one.size), kind: "number" },
      { name: "Digest", cell: ({ sha256 }) => h("code", {}, sha256) },
    ],
    rows,
  });
}
