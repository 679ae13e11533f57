// A JSON Schema as a table of the fields that a person looks for. What it leaves out, the schema itself has.

import { code, empty, h, soft } from "./dom.js";
import { quoted } from "./part.js";
import { table } from "./table.js";

export function fields(schema, caption) {
  const required = new Set(schema.required);
  return table({
    caption,
    columns: [
      { name: "Field", cell: ({ name }) => code(soft(name)), kind: "id" },
      { name: "Needed", cell: ({ name }) => (required.has(name) ? "yes" : "no") },
      { name: "Type", cell: ({ is }) => type(is) },
      { name: "What it is", cell: ({ is }) => [quoted(is.description ?? ""), h("small", {}, bounds(is))] },
    ],
    rows: Object.entries(schema.properties ?? {}).map(([name, is]) => ({ name, is })),
    none: empty("It has no fields of its own; the schema below says all there is."),
  });
}

function type(is) {
  if (is === true || is === false) return "any";
  if (is.enum) return "one of a list";
  if (is.type === "array" && is.items?.type) return `array of ${[is.items.type].flat().join(" or ")}`;
  if (is.type) return [is.type].flat().join(" or ");
  if (is.anyOf || is.oneOf) return "one of several";
  return is.$ref?.split("/").at(-1) ?? "any";
}

/** The bounds that schemas of packs have, in words. */
const BOUNDS = [
  ["enum", (value) => value.map((one) => JSON.stringify(one)).join(", ")],
  ["default", (value) => `by default ${JSON.stringify(value)}`],
  ["minimum", (value) => `at least ${value}`],
  ["maximum", (value) => `at most ${value}`],
  ["minLength", (value) => `${value} or more characters`],
  ["maxLength", (value) => `${value} characters at most`],
  ["minItems", (value) => `${value} or more items`],
  ["maxItems", (value) => `${value} items at most`],
  ["pattern", (value) => `matches ${value}`],
];

function bounds(is) {
  return BOUNDS.filter(([key]) => is[key] !== undefined).map(([key, words]) => words(is[key])).join("; ");
}
