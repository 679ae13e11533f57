// A call as the record has it: contacts with each decision, credentials and where they went, sandbox, artifacts, hashes.

import { get } from "./api.js";
import { bullets, code, facts, h, lines, link, p, section } from "./dom.js";
import { request } from "./denials.js";
import { moment, outcome, place, size, span } from "./format.js";
import { part, quoted } from "./part.js";
import { table } from "./table.js";

export function call({ n, body }, signal) {
  const { contacts = [], denied = [], artifacts = [], mends = [], grants = [], session, input } = body;
  return [
    section("The call", facts(...about(body))),
    (contacts.length > 0 || denied.length > 0) &&
      section("Contacts", contacted(contacts, body.more_contacts), refused(denied, body.pack)),
    credentials(n, body, signal),
    grants.length > 0 && section("Grants that it used", bullets(grants.map(code))),
    session && section("Sandbox", sandbox(session)),
    artifacts.length > 0 &&
      section("Artifacts", made(artifacts), p(link("See those that are still there", "artifacts", { run: body.run }))),
    mends.length > 0 &&
      section("Mended in the input",
        bullets(mends.map(({ pointer, what }) => [code(pointer), ` ${what.replaceAll("_", " ")}`]))),
    input !== undefined && section("Input", lines(JSON.stringify(input, null, 2))),
  ];
}

function about(body) {
  const { client, protocol, trace, digest, revision, input_sha256, output_sha256, cause_sha256 } = body;
  const [total, queued, ran] = [body.total_us, body.queued_us, body.ran_us].map((us) => span(us / 1000));
  return [
    ["Caller", body.caller],
    ["Door", [body.door, protocol && `, protocol ${protocol}`]],
    ["Client", client && `${client.name} ${client.version}, as it calls itself`],
    ["Asked for as", code(body.tool)],
    ["Came in", moment(body.started)],
    ["Took", `${total} in all: waited ${queued} for a place, ran ${ran}`],
    ["Memory", `${size(body.memory)} at most`],
    ["Requests", body.requests],
    ["Run", code(body.run)],
    ["Trace", trace && code(trace)],
    ["Component", digest && code(digest)],
    ["Manifest", revision && ["revision ", code(revision)]],
    ["Input", input_sha256 && code(input_sha256)],
    ["Output", output_sha256 && code(output_sha256)],
    ["Cause of the failure", cause_sha256 && [code(cause_sha256), h("small", {}, "its text is in the operator's log, under the run")]],
    ["Cut", body.cut && "the record would have been too large: texts and lists in it are cut"],
  ];
}

function sandbox({ id, backend, reused, warm, why }) {
  const fresh = warm ? "standing ready" : "started for this call";
  return facts(
    ["Sandbox", code(id)],
    ["Backend", backend],
    ["It was", reused ? "left by an earlier call of the same caller" : fresh],
    ["Why not another", why && quoted(why)],
  );
}

function contacted(rows, left = 0) {
  return [
    table({
      caption: "Every request that it made or tried to make, and what was decided.",
      key: (row) => rows.indexOf(row),
      columns: [
        { name: "Host", cell: ({ host, port }) => code(`${host}:${port}`) },
        { name: "Decision", cell: ({ decision }) => outcome(decision) },
        { name: "By the rule", cell: ({ rule }) => place(rule) ?? "none" },
        { name: "Address", cell: ({ address }) => address && code(address) },
        { name: "Sent", cell: ({ sent }) => size(sent), kind: "number" },
        { name: "Received", cell: ({ received }) => size(received), kind: "number" },
      ],
      rows,
    }),
    left > 0 && p(`There were ${left} more, which are not on record.`),
  ];
}

function refused(denied, pack) {
  if (denied.length === 0) return null;
  return [
    h("h3", {}, "No rule allows"),
    bullets(denied.map((one) => [code(request(one)), one.reported && " (let through, reported)"])),
    p(link("The edit that would allow it", "denials", { pack })),
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
        { name: "To", cell: ({ method, host, port }) => code(port ? `${method} ${host}:${port}` : host) },
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
      { name: "Digest", cell: ({ sha256 }) => code(sha256) },
    ],
    rows,
  });
}
