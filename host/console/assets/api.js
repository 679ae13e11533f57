// Asks the host. Owns the token, which is kept for this tab alone, and turns what goes wrong into problems with words.

const BASE = new URL("../v1/", document.baseURI);
const TOKEN = "packhost.token";

/** Says `login` when the host wants to know who asks. */
export const events = new EventTarget();

/** A problem of RFC 9457, or the like of one where the host did not send any. */
export class Problem extends Error {
  constructor(status, { title, detail, fix, code } = {}) {
    super(detail ?? title ?? `The host answered with status ${status}.`);
    Object.assign(this, { status, title, fix, code });
  }
}

export function hasToken() {
  return sessionStorage.getItem(TOKEN) !== null;
}

export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

export function forgetToken() {
  sessionStorage.removeItem(TOKEN);
}

/** The JSON at a path below /v1. What is undefined or empty in the query is left out. */
export async function get(path, query = {}, signal) {
  const known = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const response = await ask(`${path}?${new URLSearchParams(known)}`, { accept: "application/json" }, signal);
  return response.json();
}

/** The bytes at a path below /v1, or the first `most` of them. */
export async function bytes(path, signal, most) {
  const headers = most ? { range: `bytes=0-${most - 1}` } : {};
  return (await ask(path, headers, signal)).arrayBuffer();
}

async function ask(path, headers, signal) {
  const token = sessionStorage.getItem(TOKEN);
  if (token !== null) headers.authorization = `Bearer ${token}`;
  const response = await send(new URL(path.replace(/\?$/, ""), BASE), headers, signal);
  if (response.ok) return response;
  const problem = new Problem(response.status, await response.json().catch(() => ({})));
  if (response.status === 401) events.dispatchEvent(new CustomEvent("login", { detail: problem }));
  throw problem;
}

async function send(url, headers, signal) {
  try {
    return await fetch(url, { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, {
      title: "The host does not answer.",
      detail: "No answer came to a request that this page has made.",
      fix: "See whether `packhost serve` still runs, and that this address leads to it.",
    });
  }
}
