// One artifact: what is known of it, what it looks like, whether it is as it was signed, and its bytes.

import { bytes, get } from "./api.js";
import { verdict } from "./artifacts.js";
import { bar, code, command, facts, h, link, section } from "./dom.js";
import { moment, size } from "./format.js";
import { part, problemBox, slowly } from "./part.js";
import { preview } from "./preview.js";

/** The most bytes that are fetched into a browser. */
const MOST = 256 * 2 ** 20;

export function show({ arg, signal }) {
  const path = `artifacts/${encodeURIComponent(arg)}`;
  const body = part(signal, async () => {
    const one = await get(path, { all: true }, signal);
    return [
      h("p", { class: "lead" }, one.name),
      facts(
        ["Made by", [link(one.pack, "packs", one.pack), ", for ", one.owner]],
        ["Made", moment(one.created)],
        ["There until", moment(one.expires)],
        ["What", one.kind === "manifest" ? "the signed manifest of its run" : `${one.media_type}, as the pack calls it`],
        ["Size", [size(one.size), one.size >= 1024 && ` (${one.size.toLocaleString("en")} bytes)`]],
        ["Digest", code(one.digest)],
        ["Run", code(one.run)],
        ["See as well", [
          link("the record of the call", "record", { kind: "call", run: one.run }), ", ",
          link("all that it made", "artifacts", { run: one.run }),
        ]],
        ["Signature", part(signal, async () => signature(await get(`${path}/verification`, { all: true }, signal), arg))],
      ),
      download(one, path, signal),
      section("Preview", preview(one, signal)),
    ];
  });
  return { title: "Artifact", body: [body] };
}

const WORDS = {
  sound: "All bytes are as they were written, and as the manifest says, where there is one.",
  gone: "It was removed or has expired.",
  lost: "The store does not have it any more.",
  altered: "The store has something else than was written.",
  relabelled: "Its name, type, size, digest or pack is another than was signed.",
  unsigned: "The manifest of its run does not speak of it.",
};

function signature(report, id) {
  const run = report.runs[0];
  const finding = run?.artifacts.find((one) => one.id === id)?.finding.is;
  const by = run?.manifest;
  return h("div", {}, verdict(report, id), " ", WORDS[finding],
    by?.is === "by" && [" Signed with the key ", code(by.key_id), " at ", moment(by.time * 1000), "."],
    by?.is === "missing" && " Nobody has signed for this run: it has not ended, or its host was stopped before.",
    by?.why && ` ${by.why}`);
}

/** A link cannot carry a token, so the bytes are fetched first. */
function download({ id, name, size: all }, path, signal) {
  const wrong = h("div");
  const button = h("button", { type: "button", disabled: all > MOST, onclick: save }, `Download ${size(all)}`);

  async function save() {
    button.disabled = true;
    try {
      const found = await slowly(bytes(`${path}/content?all=true`, signal), wrong);
      const url = URL.createObjectURL(new Blob([found], { type: "application/octet-stream" }));
      h("a", { href: url, download: name.split("/").at(-1) || id }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      wrong.replaceChildren();
    } catch (problem) {
      wrong.replaceChildren(problemBox(problem));
    }
    button.disabled = false;
  }

  const or = all > MOST ? "It is too large for a browser: " : "or ";
  return h("div", {}, bar(button, or, command(`packhost artifacts get ${id} FILE`)), wrong);
}
