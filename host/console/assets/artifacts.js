// What calls have made: a list with small pictures, and whether each is as it was signed.

import { get } from "./api.js";
import { show as showOne } from "./artifact.js";
import { bar, code, command, empty, h, link, p, say, toPack } from "./dom.js";
import { badge, moment, outcome, size } from "./format.js";
import { part, problemBox, slowly } from "./part.js";
import { thumbnail } from "./preview.js";
import { table } from "./table.js";

/** How many are asked for at once. */
const PAGE = 50;

export function show({ arg, query, signal }) {
  if (arg) return showOne({ arg, signal });
  const run = query.get("run") ?? "";
  const intro = p(run ? ["Those of the call ", code(run), ". ", link("All of them", "artifacts")]
    : "Files that calls left, the latest first. Each run has a manifest that the host has signed.");
  return { title: "Artifacts", body: [intro, part(signal, () => list(run, signal))] };
}

async function list(run, signal) {
  let shown = [];
  let before = 0;
  let next;
  const states = new Map();
  const state = (id) => states.get(id) ?? states.set(id, h("div", {}, "not checked")).get(id);
  const rows = table({
    caption: "Artifacts of all callers.",
    key: ({ id }) => id,
    columns: [
      { name: "Name", cell: ({ id, name }) => link(name, "artifacts", id), kind: "wide" },
      { name: "Preview", cell: (one) => thumbnail(one, signal) },
      { name: "What", cell: ({ kind, media_type }) => (kind === "manifest" ? "signed manifest" : media_type) },
      { name: "Size", cell: (one) => size(one.size), kind: "number" },
      { name: "Pack", cell: ({ pack }) => toPack(pack), kind: "id" },
      { name: "Owner", cell: ({ owner }) => owner },
      { name: "Made", cell: ({ created }) => moment(created) },
      { name: "Signature", cell: ({ id }) => state(id) },
    ],
    none: empty("There is no artifact. What a call leaves in ", code("out/"), " of its workspace becomes one: ",
      command("packhost call cmd.run '{\"command\": \"mkdir out; seq 3 > out/numbers.csv\"}'")),
  });
  const wrong = h("div");
  const older = h("button", { type: "button", onclick: further }, "Older artifacts");
  const check = h("button", { type: "button", onclick: checked }, "Check signatures");

  async function load() {
    const answer = await slowly(get("artifacts", { all: true, run, limit: PAGE, after: next }, signal), wrong);
    next = answer.next;
    before = shown.length;
    shown = [...shown, ...answer.artifacts];
    rows.update(shown);
    wrong.replaceChildren();
    older.hidden = !next;
    check.hidden = shown.length === 0;
  }

  async function further() {
    try {
      await load();
      rows.go(shown[before]);
    } catch (problem) {
      wrong.replaceChildren(problemBox(problem));
    }
  }

  /** One after the other: for each the host reads all of its bytes. */
  async function checked() {
    check.disabled = true;
    for (const { id } of shown) {
      if (signal.aborted) return;
      state(id).replaceChildren("being read…");
      const asked = get(`artifacts/${encodeURIComponent(id)}/verification`, { all: true }, signal);
      const found = await asked.then((report) => verdict(report, id), (problem) => problem.message);
      state(id).replaceChildren(...[found].flat());
    }
    check.disabled = false;
    say("All signatures are checked.");
  }

  await load();
  return [bar(check), rows, wrong, older];
}

/** What a verification says of one, in badges. */
export function verdict({ runs }, id) {
  const run = runs[0];
  const found = run?.artifacts.find((one) => one.id === id)?.finding.is ?? "not found";
  const signed = { by: ["signed", "good"], missing: ["not signed", "note"] }[run?.manifest.is];
  return [outcome(found), " ", badge(...(signed ?? ["no valid signature", "bad"]))];
}
