// What runs now, in which sandboxes, and what was called last.

import { get } from "./api.js";
import { code, command, empty, link, p, say, section, toPack } from "./dom.js";
import { many, moment, outcome, span } from "./format.js";
import { live } from "./live.js";
import { sandboxes } from "./sessions.js";
import { table } from "./table.js";

export function show({ signal }) {
  const running = calls();
  const boxes = sandboxes();
  const recent = recentCalls([]);
  let before;

  async function look() {
    const [now, used, record] = await Promise.all([
      get("live", {}, signal), get("sessions", { all: true }, signal), get("audit", { kind: "call", limit: 15 }, signal),
    ]);
    if (signal.aborted) return;
    running.update(now.calls);
    boxes.update(used.sessions);
    recent.update(record.records);
    if (before !== undefined && before !== now.calls.length) say(`${many(now.calls.length, "live call")}.`);
    before = now.calls.length;
  }

  const body = [
    live(signal, look),
    section("Live calls", running),
    section("Sandboxes", boxes),
    section("Latest calls", recent, p(link("More on the record", "record", { kind: "call" }))),
  ];
  return { title: "Calls", body };
}

function calls() {
  return table({
    caption: "What runs, or waits for a place, in this process.",
    key: ({ run }) => run,
    columns: [
      { name: "Pack", cell: ({ pack }) => toPack(pack), kind: "id" },
      { name: "State", cell: ({ place }) => outcome(place) },
      { name: "For", cell: ({ since_ms }) => span(since_ms), kind: "number" },
      { name: "Caller", cell: ({ caller }) => caller },
      { name: "Door", cell: ({ door }) => door },
      { name: "Run", cell: ({ run }) => code(run), kind: "id" },
    ],
    none: empty("Nothing runs. Call something: ",
      command("packhost call text.stats '{\"text\": \"to be or not to be\"}'")),
  });
}

/** Calls that have ended, from the record. */
export function recentCalls(records) {
  return table({
    caption: "Calls that have ended, the latest first.",
    key: ({ n }) => n,
    rows: records,
    columns: [
      { name: "Record", cell: ({ n }) => link(n, "record", n) },
      { name: "Time", cell: ({ time }) => moment(time) },
      { name: "Pack", cell: ({ body }) => (body.pack ? toPack(body.pack) : body.tool), kind: "id" },
      { name: "Outcome", cell: ({ body }) => outcome(body.outcome) },
      { name: "Took", cell: ({ body }) => span(body.total_us / 1000), kind: "number" },
      { name: "Caller", cell: ({ body }) => body.caller },
      { name: "Door", cell: ({ body }) => body.door },
    ],
    none: empty("No call is on record. Connect an agent: ", command("packhost connect claude-code")),
  });
}
