// One pack: what it may do and where that is written, what it asks for, and how it is called.

import { get } from "./api.js";
import { code, command, empty, facts, h, lines, link, more, p, section } from "./dom.js";
import { many, place, span } from "./format.js";
import { words } from "./packs.js";
import { part } from "./part.js";
import { fields } from "./schema.js";
import { table } from "./table.js";

export function show({ arg, signal }) {
  const path = `packs/${encodeURIComponent(arg)}`;
  const body = [
    part(signal, async () => about(await get(path, {}, signal))),
    part(signal, async () => grants(await get(`${path}/grants`, {}, signal))),
    section("What it was denied", part(signal, () => denied(arg, signal))),
    part(signal, async () => called(await get(path, {}, signal))),
  ];
  return { title: arg, body };
}

function about({ name, tool, version, title, description, effects, digest, time_ms, callable }) {
  return [
    h("p", { class: "lead" }, h("strong", {}, title), ". ", description),
    facts(
      ["Effects", words(effects)],
      ["Version", version],
      ["Agents know it as", code(tool)],
      ["Component", code(digest)],
      ["A call may take", span(time_ms)],
      ["This token", callable ? null : "may see it and not call it"],
      ["On the record", link(`calls of ${name}`, "record", { kind: "call", pack: name })],
    ),
  ];
}

function grants({ name, may, may_not, ceiling, asks_for, credentials, origin, manifest }) {
  return [
    section("What it may do", table({
      caption: ["Its entry begins at ", place(manifest), ". What is not granted there is denied."],
      columns: [
        { name: "It may", cell: ({ text }) => text },
        { name: "Granted at", cell: (one) => place(one.place) },
      ],
      rows: may,
      none: empty("It may compute, and nothing else."),
    }),
    facts(
      ["It may not", sentences(may_not)],
      ["Ceiling", ceiling && sentences([ceiling])],
    )),
    section("What it asks for", table({
      caption: "A wish, and never a grant: what the component imports that leads out of it.",
      columns: [
        { name: "It asks for", cell: ({ what }) => what },
        { name: "Why, in its own words", cell: ({ why }) => why ?? "it does not say" },
        { name: "Imports", cell: ({ imports }) => imports.map((one) => [code(one), " "]) },
      ],
      rows: asks_for,
      none: empty(`It asks for nothing (${origin}).`),
    })),
    credentials.length > 0 && section("Credentials", table({
      caption: "Which the manifest names for it, and how the vault binds them to it. No value is shown, here or anywhere.",
      columns: [
        { name: "Credential", cell: (one) => link(one.name, "credentials", { name: one.name }) },
        { name: "It may use it for", cell: (one) => uses(one, name) },
        { name: "Named at", cell: (one) => place(one.manifest) },
      ],
      rows: credentials,
    })),
  ];
}

function sentences(all) {
  return all.map(({ text, place: where }) => h("div", {}, text, where && [" ", place(where)]));
}

function uses({ name, kept, uses: ways }, pack) {
  if (ways.length > 0) return ways.map((use) => h("div", {}, use));
  const [why, verb] = kept ? ["it is not bound to this pack", "bind"] : ["it is not in the vault", "set"];
  const binding = `--pack ${pack} --host HOST --header authorization:Bearer`;
  return [`nothing: ${why}. `, command(`packhost vault ${verb} ${name} ${binding}`)];
}

async function denied(pack, signal) {
  const { packs } = await get("denials", {}, signal);
  const here = packs.find((one) => one.pack === pack);
  if (!here) return empty("Nothing.");
  return p(`${many(here.denied.length, "different request")}. `,
    link("See them, and the edit that would allow them", "denials", { pack }));
}

function called({ name, input_schema, output_schema }) {
  const examples = input_schema.examples ?? [];
  return [
    section("Input", fields(input_schema, "What a call has to say, and what it may."),
      examples.length > 0 && [h("h3", {}, examples.length === 1 ? "Example" : "Examples"),
        examples.map((example) => lines(`packhost call ${name} '${JSON.stringify(example).replaceAll("'", "'\\''")}'`))],
      whole("JSON Schema of the input", input_schema)),
    section("Output", output_schema
      ? [fields(output_schema, "What an answer has."), whole("JSON Schema of the output", output_schema)]
      : empty("It does not say what its answers have.")),
  ];
}

function whole(title, schema) {
  return more(title, lines(JSON.stringify(schema, null, 2)));
}
