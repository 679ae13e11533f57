// The packs that are served, and what each may do in a few words.

import { get } from "./api.js";
import { bar, command, empty, h, link, toPack } from "./dom.js";
import { badge, many } from "./format.js";
import { show as showOne } from "./pack.js";
import { part } from "./part.js";
import { table } from "./table.js";

/** How many packs are asked about at once. */
const AT_ONCE = 4;
/** How many sentences of what a pack may do stand in the list. */
const SENTENCES = 2;

export function show({ arg, query, signal }) {
  if (arg) return showOne({ arg, signal });
  const body = part(signal, async () => {
    const { packs } = await get("packs", {}, signal);
    return listed(packs, query.get("find") ?? "", signal);
  });
  return { title: "Packs", body: [body] };
}

function listed(packs, find, signal) {
  const may = new Map(packs.map(({ name }) => [name, h("div", { "aria-busy": "true" }, "…")]));
  const found = h("p", { class: "quiet", role: "status" });
  const list = table({
    caption: "Every pack that is served. What it may do stands in the manifest; what is not there is denied.",
    key: ({ name }) => name,
    columns: [
      { name: "Pack", cell: ({ name, title }) => [toPack(name), h("small", {}, title)], kind: "wide" },
      { name: "What it does", cell: ({ description }) => description.split(/(?<=\.) /)[0] },
      { name: "Effects", cell: ({ effects }) => words(effects) },
      { name: "May", cell: ({ name }) => may.get(name) },
    ],
    none: empty("No pack fits. This lists those that are served, and why others are not: ", command("packhost packs list")),
  });
  const field = h("input", { id: "find", type: "search", value: find, autocomplete: "off" });
  const filter = () => {
    const wanted = field.value.trim().toLowerCase();
    const fit = packs.filter((pack) => `${pack.name} ${pack.title} ${pack.description}`.toLowerCase().includes(wanted));
    list.update(fit);
    found.textContent = wanted ? `${fit.length} of ${many(packs.length, "pack")}` : many(packs.length, "pack");
  };
  field.addEventListener("input", filter);
  filter();
  tell(packs, may, signal);
  return [bar(h("label", { for: "find" }, "Find a pack"), field), found, list];
}

/** What a call does to the world. */
export function words({ read_only, destructive, open_world }) {
  const changes = destructive ? ["may destroy", "bad"] : ["changes things", "note"];
  const where = open_world ? "talks to others" : "stays on this host";
  return [badge(...(read_only ? ["only reads", "good"] : changes)), h("small", {}, where)];
}

/** Fills in what each may, a few at a time. */
async function tell(packs, may, signal) {
  const left = packs.map(({ name }) => name);
  const worker = async () => {
    for (let name = left.shift(); name && !signal.aborted; name = left.shift()) {
      const cell = may.get(name);
      const asked = get(`packs/${encodeURIComponent(name)}/grants`, {}, signal);
      const said = await asked.then(brief, (problem) => problem.message);
      cell.replaceChildren(...[said].flat());
      cell.removeAttribute("aria-busy");
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Limits are at the end, and every pack has some. */
function brief({ name, may }) {
  const grants = may.filter(({ text }) => !text.startsWith("use at most"));
  if (grants.length === 0) return "compute, and nothing else";
  const rest = grants.length - SENTENCES;
  return [
    h("ul", { class: "brief" }, grants.slice(0, SENTENCES).map(({ text }) => h("li", {}, text))),
    rest > 0 && link(`and ${rest} more`, "packs", name),
  ].filter(Boolean);
}
