// Credentials by name: where each may be used, which packs may, and where it went. Values are nowhere.

import { get } from "./api.js";
import { code, command, empty, facts, h, link, p, section, toPack } from "./dom.js";
import { badge, moment, place } from "./format.js";
import { part } from "./part.js";
import { table } from "./table.js";

export function show({ query, signal }) {
  const wanted = query.get("name");
  const kept = part(signal, async () => {
    const { credentials } = await get("credentials", {}, signal);
    const shown = credentials.filter(({ name }) => !wanted || name === wanted);
    return shown.length === 0 ? none(wanted) : shown.map(one);
  });
  const body = [
    p("Names and bindings. The host puts a value into a request as it leaves; no page, verb or pack ever shows one. ",
      wanted && link("All credentials", "credentials")),
    kept,
    section("Latest uses", part(signal, () => latest(wanted, signal))),
  ];
  return { title: wanted ? `Credential ${wanted}` : "Credentials", body };
}

function none(name) {
  const set = `packhost vault set ${name ?? "GITHUB_TOKEN"} --host api.github.com --header authorization:Bearer`;
  return empty(name ? `There is no credential ${name}. ` : "There is no credential. ",
    "Keep one, with the value from a file: ", command(`${set} --pack 'github.*' < token.txt`));
}

function one({ name, version, bindings, created, changed, master_key, uses }) {
  return section(name,
    facts(
      ["May be used", bindings.length === 0
        ? badge("nowhere: it is bound to nothing", "bad")
        : bindings.map((binding) => h("div", {}, words(binding)))],
      ["Version", version],
      ["First set", moment(created * 1000)],
      ["Last changed", moment(changed * 1000)],
      ["Sealed with", ["the master key ", code(master_key)]],
    ),
    table({
      caption: `Packs of this host that ${name} is bound to, and whether the manifest lets them use it.`,
      key: ({ pack, uses: how }) => `${pack} ${how}`,
      columns: [
        { name: "Pack", cell: ({ pack }) => toPack(pack), kind: "id" },
        { name: "May use it for", cell: ({ uses: how }) => how },
        { name: "Granted at", cell: ({ manifest }) => place(manifest) ?? badge("no rule grants it", "note") },
      ],
      rows: uses,
      none: empty("No pack that is here may use it. Bind it to one: ", command(`packhost vault bind ${name} --help`)),
    }));
}

/** A binding in words: for which hosts, where in a request, by which packs. */
function words(binding) {
  const { hosts, ports, plain, methods, paths, places, packs, callers, sign } = binding;
  const list = (all) => all.join(" or ");
  return [
    `for ${list(hosts)}`,
    ports && ` at port ${list(ports)}`,
    methods && ` with ${list(methods)}`,
    paths && ` below ${list(paths)}`,
    `, in ${list(places.map(spot))}`,
    sign && `, which it signs (${Object.keys(sign)[0]}) and is not in`,
    `, by ${list(packs)}`,
    callers && `, on behalf of ${list(callers)}`,
    plain && [" ", badge("also without TLS", "bad")],
  ];
}

function spot(at) {
  if (typeof at === "string") return `the ${at}`;
  if (at.header) return `the header ${at.header.name}${at.header.scheme ? ` as ${at.header.scheme}` : ""}`;
  return at.query ? `the query parameter ${at.query.name}` : Object.keys(at)[0];
}

async function latest(wanted, signal) {
  const { records } = await get("audit", { kind: "credential", limit: wanted ? 200 : 25 }, signal);
  return table({
    caption: "Each is on the record before the credential leaves, the newest first.",
    key: ({ n }) => n,
    columns: [
      { name: "Record", cell: ({ n }) => link(n, "record", n) },
      { name: "Time", cell: ({ time }) => moment(time) },
      { name: "Credential", cell: ({ body }) => body.credential },
      { name: "Went to", cell: ({ body }) => code(`${body.method} ${body.host}:${body.port}`) },
      { name: "Where", cell: ({ body }) => [body.place, body.signs && `, signed (${body.signs})`] },
      { name: "Pack", cell: ({ body }) => toPack(body.pack), kind: "id" },
      { name: "Caller", cell: ({ body }) => body.caller },
    ],
    rows: records.filter(({ body }) => !wanted || body.credential === wanted),
    none: empty("None has left. A pack writes ", code("${vault:NAME}"), " where the value belongs."),
  });
}
