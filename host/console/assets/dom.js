// Makes elements. Text goes in as text: nothing in the console parses HTML, whoever wrote what is shown.

/** An element with attributes, listeners (`onclick`, …) and children. What is null, undefined or false is left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (isNothing(value)) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => !isNothing(child)));
  return element;
}

function isNothing(value) {
  return value === null || value === undefined || value === false;
}

/** A link to a page of the console: `link("text", "packs", "http.fetch")`. */
export function link(text, ...path) {
  return h("a", { href: address(path) }, soft(String(text)));
}

/** A name may be broken behind its signs, where there is no room for it in one line. A sentence has spaces for that. */
export function soft(text) {
  return text.includes(" ") ? text : text.split(/(?<=[._:/@-])/).flatMap((piece) => [h("wbr"), piece]).slice(1);
}

/** A link to the page of a pack. */
export function toPack(name) {
  return link(name, "packs", name);
}

/** The address of a page, with the query where its last part is an object. */
export function address(path) {
  const query = typeof path.at(-1) === "object" ? path.at(-1) : {};
  const parts = path.filter((part) => typeof part !== "object").map(encodeURIComponent);
  const search = new URLSearchParams(query).toString();
  return `#/${parts.join("/")}${search && `?${search}`}`;
}

/** A section with a heading of the second level. */
export function section(title, ...children) {
  return h("section", {}, h("h2", {}, title), children);
}

/** Names and values, one below the other. Pairs without a value are left out. */
export function facts(...pairs) {
  const known = pairs.filter(([, value]) => !isNothing(value) && value !== "");
  return h("dl", { class: "facts" }, known.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** A command to type, which one click selects. */
export function command(text) {
  return h("code", { class: "command" }, text);
}

/** A list of short things. */
export function bullets(items) {
  return h("ul", {}, items.map((item) => h("li", {}, item)));
}

/** Buttons, and what stands beside them. */
export function bar(...children) {
  return h("p", { class: "bar" }, children);
}

/** Several lines as they stand: JSON, YAML, a part of a file. */
export function lines(text) {
  return h("pre", {}, code(text));
}

/** A paragraph. */
export function p(...children) {
  return h("p", {}, children);
}

/** Names, ids, digests and whatever else a program reads. */
export function code(text) {
  return h("code", {}, text);
}

/** What stands where there is nothing to show: what that means, and what to do next. */
export function empty(...children) {
  return h("p", { class: "empty" }, children);
}

/** What can be opened to see more. */
export function more(title, ...children) {
  return h("details", {}, h("summary", {}, title), children);
}

/** Tells those who do not see the page what has changed on it. */
export function say(text) {
  document.getElementById("said").textContent = text;
}
