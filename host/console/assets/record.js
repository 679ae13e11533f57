// The record: whether it is whole, what is on it, and which of it.

import { get } from "./api.js";
import { address, command, empty, h, link, say, section } from "./dom.js";
import { show as showOne, what, who } from "./entry.js";
import { many, moment, outcome } from "./format.js";
import { part, problemBox, slowly } from "./part.js";
import { table } from "./table.js";
import { verified } from "./verification.js";

/** How many records are asked for at once. */
const PAGE = 50;
const KINDS = [
  ["call,act,credential,session", "what packs and operators did"],
  ["call", "calls"], ["act", "operators' acts"], ["credential", "uses of credentials"], ["session", "sandboxes"],
  ["", "everything, the log's own records too"],
];
const OUTCOMES = [
  "ok", "asks", "invalid_input", "invalid_output", "schema_mismatch", "not_found", "capability_denied", "egress_denied",
  "credential_denied", "credential_invalid", "auth_failed", "rate_limited", "session_unavailable", "resource_exhausted",
  "timeout", "cancelled", "artifact_failed", "handler_failed", "internal", "begun", "done",
];
const FILTERS = ["kind", "pack", "caller", "outcome", "since", "until", "run"];

export function show({ arg, query, signal }) {
  if (arg) return showOne({ arg, signal });
  const wanted = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""]));
  if (!query.has("kind")) wanted.kind = KINDS[0][0];
  const body = [
    section("Is it what this host wrote?", verified(signal)),
    section("Records", form(wanted), part(signal, () => records(wanted, signal))),
  ];
  return { title: "Record", body };
}

function form(wanted) {
  const text = (name, label, hint) => [
    h("label", { for: name }, label),
    h("input", { id: name, name, value: wanted[name], autocomplete: "off", placeholder: hint, spellcheck: "false" }),
  ];
  const option = (name) => ([value, words]) => h("option", { value, selected: value === wanted[name] }, words);
  const choice = (name, label, options) => [
    h("label", { for: name }, label),
    h("select", { id: name, name }, options.map(option(name))),
  ];
  const kinds = KINDS.some(([kind]) => kind === wanted.kind) ? KINDS : [...KINDS, [wanted.kind, wanted.kind]];
  const words = [...new Set([...OUTCOMES, wanted.outcome])].filter(Boolean);
  const outcomes = words.map((word) => [word, word.replaceAll("_", " ")]);
  const fields = [
    choice("kind", "Kind", kinds),
    choice("outcome", "Outcome", [["", "any"], ...outcomes]),
    text("pack", "Pack", "web.scrape"),
    text("caller", "Caller", "token:laptop"),
    text("since", "Since", "12h, 2026-03-01"),
    text("until", "Before", "2026-04-01"),
    wanted.run && text("run", "Run", ""),
  ].filter(Boolean);
  const submitted = (event) => {
    event.preventDefault();
    const given = [...new FormData(event.target)].map(([name, value]) => [name, value.trim()]);
    const hash = address(["record", Object.fromEntries(given.filter(([name, value]) => value || name === "kind"))]);
    if (hash === location.hash) dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = hash;
  };
  return h("form", { class: "filter", role: "search", "aria-label": "Records", onsubmit: submitted },
    fields.map((field) => h("div", {}, field)),
    h("div", { class: "buttons" },
      h("button", { type: "submit", class: "main" }, "Show"), link("All of them", "record")));
}

async function records(wanted, signal) {
  let shown = [];
  let next;
  const list = table({
    caption: "The newest first. Open one by its number to see all of it.",
    key: ({ n }) => n,
    columns: [
      { name: "Record", cell: ({ n }) => link(n, "record", n) },
      { name: "Time", cell: ({ time }) => moment(time) },
      { name: "What", cell: what },
      { name: "Who", cell: who },
      { name: "Outcome", cell: ({ body }) => outcome(body.outcome) },
    ],
    none: empty("No record fits. Ask for more, or see the newest as they come: ", command("packhost audit tail --follow")),
  });
  const older = h("button", { type: "button", onclick: () => load().then(told) }, "Older records");
  const wrong = h("div");

  async function load() {
    older.disabled = true;
    try {
      const answer = await slowly(get("audit", { ...wanted, limit: PAGE, before: next }, signal), wrong);
      next = answer.next;
      shown = [...shown, ...answer.records];
      list.update(shown);
      wrong.replaceChildren();
      return answer.records.length;
    } catch (problem) {
      // The first page has no list to stand below.
      if (shown.length === 0) throw problem;
      wrong.replaceChildren(problemBox(problem));
      return 0;
    } finally {
      older.disabled = false;
      older.hidden = next === null || next === undefined;
    }
  }

  /** Whoever asked for more goes on at the first of them. */
  function told(count) {
    if (!count) return;
    say(`${many(count, "older record")}.`);
    list.go(shown.at(-count));
  }

  await load();
  return [list, wrong, older];
}
