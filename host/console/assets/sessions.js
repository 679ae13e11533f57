// Sandboxes and the workspaces that calls share.

import { get } from "./api.js";
import { code, command, empty, h, section, toPack } from "./dom.js";
import { ago, outcome, size, span } from "./format.js";
import { part } from "./part.js";
import { table } from "./table.js";

export function show({ signal }) {
  const body = [
    section("Sandboxes", part(signal, async () => {
      const { sessions } = await get("sessions", { all: true }, signal);
      const [first] = sessions;
      return [sandboxes(sessions), first && h("p", { class: "quiet" }, "Look into one, or end it: ",
        command(`packhost sessions show ${first.id}`), " ", command(`packhost sessions rm ${first.id}`))];
    })),
    section("Workspaces", part(signal, async () => {
      const { workspaces } = await get("workspaces", { all: true }, signal);
      const [first] = workspaces;
      return [directories(workspaces), first && h("p", { class: "quiet" },
        "A workspace that nobody uses for a day is removed. At once: ", command(`packhost workspaces rm ${first.name}`))];
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
      { name: "Sandbox", cell: ({ id }) => code(id), kind: "wide" },
      { name: "State", cell: ({ state, owner }) => outcome(word(state, owner)) },
      { name: "Pack", cell: ({ pack }) => toPack(pack), kind: "id" },
      { name: "Owner", cell: ({ owner }) => owner ?? "nobody yet" },
      { name: "Backend", cell: ({ backend, image }) => [backend, h("small", {}, image)] },
      { name: "Workspace", cell: ({ workspace }) => workspace && code(workspace), kind: "id" },
      { name: "Made", cell: age, kind: "number" },
    ],
    none: empty("There is no sandbox. A call of a pack that runs programs starts one: ",
      command("packhost call python.run '{\"code\": \"6 * 7\"}'")),
  });
}

function age({ created, ends }) {
  return [ago(created), h("small", {}, `ends in ${span(ends - Date.now())}`)];
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
      { name: "Workspace", cell: ({ name }) => code(name) },
      { name: "Owner", cell: ({ owner }) => owner ?? "nobody yet" },
      { name: "Size", cell: ({ bytes }) => size(bytes), kind: "number" },
      { name: "Used", cell: ({ used }) => ago(used), kind: "number" },
    ],
    none: empty("There is no workspace. A call of a pack with ", code("workspace: true"), " makes one: ",
      command("packhost call cmd.run '{\"command\": \"ls\"}'")),
  });
}
