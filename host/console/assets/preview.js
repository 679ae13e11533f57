// Pictures and texts of artifacts. Only what a browser shows without running anything: no SVG, no HTML, no PDF.

import { bytes } from "./api.js";
import { empty, h, lines } from "./dom.js";
import { size } from "./format.js";
import { part } from "./part.js";

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const TEXTS = /^(text\/|application\/([\w.-]+\+)?(json|xml|yaml)$)/;
/** Bytes of a picture that is shown large, of one that is shown small, and of a text, at most. */
const [LARGE, SMALL, TEXT] = [8 * 2 ** 20, 512 * 2 ** 10, 64 * 2 ** 10];

/** A small picture, fetched once it comes into sight. */
export function thumbnail(artifact, signal) {
  if (!PICTURES.includes(artifact.media_type) || artifact.size > SMALL) return null;
  const box = h("div", { class: "thumbnail" });
  const seen = new IntersectionObserver(async ([{ isIntersecting }]) => {
    if (!isIntersecting) return;
    seen.disconnect();
    // The list says in words what it is; a picture that does not come is no loss.
    box.replaceChildren(await picture(artifact, signal, "").catch(() => ""));
  });
  seen.observe(box);
  signal.addEventListener("abort", () => seen.disconnect());
  return box;
}

/** All of a picture, or the beginning of a text. */
export function preview(artifact, signal) {
  const type = artifact.media_type;
  if (PICTURES.includes(type)) {
    if (artifact.size > LARGE) return empty("The picture is too large to be shown here: download it.");
    return part(signal, () => picture(artifact, signal, artifact.name));
  }
  if (!TEXTS.test(type)) return empty(`There is no preview of ${type}: download it.`);
  return part(signal, async () => {
    const text = new TextDecoder().decode(await bytes(content(artifact), signal, TEXT));
    return [artifact.size > TEXT && h("p", { class: "quiet" }, `The first ${size(TEXT)} of ${size(artifact.size)}.`),
      artifact.size > 0 ? lines(text) : empty("It is empty.")];
  });
}

async function picture(artifact, signal, alt) {
  const found = await bytes(content(artifact), signal);
  const url = URL.createObjectURL(new Blob([found], { type: artifact.media_type }));
  signal.addEventListener("abort", () => URL.revokeObjectURL(url));
  return h("img", { src: url, alt });
}

function content({ id }) {
  return `artifacts/${encodeURIComponent(id)}/content?all=true`;
}
