// What was refused to each pack, and the edit of the manifest that would allow it.

import { get } from "./api.js";
import { bullets, code, command, empty, h, lines, link, p, section, toPack } from "./dom.js";
import { badge, moment, place } from "./format.js";
import { part } from "./part.js";
import { table } from "./table.js";

export function show({ query, signal }) {
  const wanted = query.get("pack");
  const body = part(signal, async () => {
    const { packs } = await get("denials", {}, signal);
    const shown = packs.filter(({ pack }) => !wanted || pack === wanted);
    if (shown.length === 0) return nothing(wanted);
    return shown.map(ofPack);
  });
  const intro = p("Requests that no rule of the manifest allows. An edit here is a proposal: only the operator makes it, ",
    "with the command below it or by hand. ", wanted && link("All packs", "denials"));
  return { title: wanted ? `Denials of ${wanted}` : "Denials", body: [intro, body] };
}

function nothing(pack) {
  return empty(pack ? `Nothing was denied to ${pack}. ` : "Nothing was denied. ",
    "See what a pack may do before it asks: ", command(`packhost policy explain ${pack ?? "http.fetch"}`));
}

function ofPack({ pack, denied, left_out = [], file, diff, why }) {
  return section(toPack(pack),
    table({
      caption: "What it asked for, the latest first.",
      key: request,
      columns: [
        { name: "Request", cell: (one) => code(request(one)), kind: "wide" },
        { name: "Times", cell: ({ count }) => count.toLocaleString("en"), kind: "number" },
        { name: "Last", cell: ({ last }) => moment(last) },
        { name: "Was", cell: ({ reported }) => badge(...(reported ? ["let through, reported", "note"] : ["denied", "bad"])) },
      ],
      rows: denied,
    }),
    h("h3", {}, "The edit that would allow it"),
    edit(pack, file, diff, why),
    left_out.length > 0 && [
      h("h3", {}, "Left out of it"),
      bullets(left_out.map((left) => [code(request(left.request)), `: ${left.why}`])),
    ]);
}

function edit(pack, file, diff, why) {
  if (diff) {
    return [
      p("In ", place(file), ". Lines with + are put in, lines with − are taken out."),
      coloured(diff),
      p("To make it: ", command(`packhost policy suggest ${pack} --write`)),
    ];
  }
  if (why) return [p("It cannot be made by a program:"), lines(why)];
  return empty("None: the manifest allows all of it by now, or no rule should.");
}

/** A unified diff. The signs stay, so that nobody needs the colours. */
function coloured(diff) {
  const tags = { "+": "ins", "-": "del" };
  const of = (line) => {
    if (/^(---|\+\+\+|@@)/.test(line)) return h("span", { class: "head" }, `${line}\n`);
    return h(tags[line[0]] ?? "span", {}, `${line}\n`);
  };
  return h("pre", { class: "diff" }, code(diff.trimEnd().split("\n").map(of)));
}

/** A request in a line, without a port that the scheme has anyway. What was cut off a path is not known any more. */
export function request({ method, scheme, host, port, path, cut }) {
  const usual = { http: 80, https: 443 }[scheme];
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `${method} ${scheme}://${name}${port === usual ? "" : `:${port}`}${path}${cut ? "…" : ""}`;
}
