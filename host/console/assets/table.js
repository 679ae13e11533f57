// Tables that become cards where there is no room, and that change row by row, so that focus and selection stay.

import { h, soft } from "./dom.js";

/**
 * A table in a box with `update(rows)` and `go(row)`. A column has a `name`, a `cell(row)` and perhaps a `kind`: "number" (to
 * the right), "id" (in one line) or "wide"; the first one names the row. `key(row)` says which row is which; `none` stands in
 * place of the table while it has no rows. Roles are written out: what is shown as cards is a table all the same.
 */
export function table({ caption, columns, rows = [], key = (row) => JSON.stringify(row), none }) {
  const body = h("tbody", { role: "rowgroup" });
  const names = columns.map(({ name, kind }) => h("th", { scope: "col", role: "columnheader", class: kind }, name));
  const whole = h("table", { role: "table" },
    h("caption", {}, caption), h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, names)), body);
  const box = h("div", { class: "table" }, whole, none);

  box.update = (rows) => {
    const before = new Map([...body.children].map((tr) => [tr.dataset.key, tr]));
    const after = rows.map((row) => {
      const fresh = rowOf(columns, row, String(key(row)));
      const old = before.get(fresh.dataset.key);
      return old ? renewed(old, fresh) : fresh;
    });
    for (const old of before.values()) if (!after.includes(old)) old.remove();
    after.forEach((tr, at) => {
      if (body.children[at] !== tr) body.insertBefore(tr, body.children[at] ?? null);
    });
    whole.hidden = rows.length === 0;
    if (none) none.hidden = rows.length > 0;
  };
  /** Puts the focus on the first link of a row. */
  box.go = (row) => [...body.children].find((tr) => tr.dataset.key === String(key(row)))?.querySelector("a")?.focus();
  box.update(rows);
  return box;
}

function rowOf(columns, row, key) {
  const cells = columns.map(({ name, cell, kind }, at) => {
    const [tag, is] = at === 0 ? ["th", { scope: "row", role: "rowheader" }] : ["td", { role: "cell" }];
    const shown = cell(row);
    return h(tag, { ...is, "data-label": name, class: kind }, typeof shown === "string" ? soft(shown) : shown);
  });
  return h("tr", { role: "row", "data-key": key }, cells);
}

/** The old row with the cells that have changed. One that has the focus is left as it is. */
function renewed(old, fresh) {
  [...fresh.children].forEach((cell, at) => {
    const was = old.children[at];
    if (!was.isEqualNode(cell) && !was.contains(document.activeElement)) was.replaceWith(cell);
  });
  return old;
}
