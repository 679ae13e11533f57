// Sandboxes and the workspaces that calls share.

import { get } from "./api.js";
import { command, h, link, section } from "./dom.js";
import { ago, outcome, size, span } from "./format.js";
import { part } from "./part.js";
import { table } from "./table.js";

export function show({ signal }) {
  const body = [
    section("Sandboxes", part(signal, async () => {
      const { sessions } = await get("sessions", { all: true }, signal);
      return [sandboxes(sessions), sessions.length > 0 && h("p", { class: "quiet" },
        "Look into one, or end it: ", command(`packhost sessions show ${sessions[0].id}`), " ", command(`packhost sessions rm ${sessions[0].id}`))];
    })),
    section("Workspaces", part(signal, async () => {
      const { workspaces } = await get("workspaces", { all: true }, signal);
      return [directories(workspaces), workspaces.length > 0 && h("p", { class: "quiet" },
        "A workspace that nobody uses for a day is removed. At once: ", command(`packhost workspaces rm ${workspaces[0].name}`))];
    })),
  ];
  return { title: "Sessions and workspaces", body };
}

/** One without an owner stands ready for a call that may come. */
export function sandboxes(rows = []) {
  return table({
    caption: "Sandboxes outside of the host's process, in which packs run programs.",
    key: ({ id }) => id,
    rows,
    columns: [
      { name: "Sandbox", cell: ({ id }) => h("code", {}, id), kind: "wide" },
      { name: "State", cell: ({ state, owner }) => outcome(word(state, owner)) },
      { name: "Pack", cell: ({ pack }) => link(pack, "packs", pack), kind: "id" },
      { name: "Owner", cell: ({ owner }) => owner ?? "nobody yet" },
      { name: "Backend", cell: ({ backend, image }) => [backend, h("small", {}, image)] },
      { name: "Workspace", cell: ({ workspace }) => workspace && h("code", {}, workspace), kind: "id" },
      { name: "Made", cell: ({ created, ends }) => [ago(created), h("small", {}, `ends in ${span(ends - Date.now())}`)], kind: "number" },
    ],
    none: h("p", { class: "empty" }, "There is no sandbox. A call of a pack that runs programs starts one: ", command("packhost call python.run '{\"code\": \"6 * 7\"}'")),
  });
}

function word(state, owner) {
  if (state === "running") return owner ? "running" : "ready";
  // How it ended stands below the word.
  return typeof state === "object" && state !== null ? Object.keys(state)[0] : state ?? "unknown";
}

function directories(rows) {
  return table({
    caption: "Directories that several calls and packs of one caller share.",
    key: ({ name }) => name,
    rows,
    columns: [
      { name: "Workspace", cell: ({ name }) => h("code", {}, name) },
      { name: "Owner", cell: ({ owner }) => owner ?? "nobody yet" },
      { name: "Size", cell: ({ bytes }) => size(bytes), kind: "number" },
      { name: "Used", cell: ({ used }) => ago(used), kind: "number" },
    ],
    none: h("p", { class: "empty" }, "There is no workspace. A call of a pack with ", h("code", {}, "workspace: true"), " makes one: ",
      command("packhost call cmd.run '{\"command\": \"ls\"}'")),
  });
}
