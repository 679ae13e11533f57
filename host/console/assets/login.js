// Asks for a token, where the host wants one.

import { Problem, forgetToken, get, keepToken } from "./api.js";
import { code, command, h, p } from "./dom.js";
import { problemBox, slowly } from "./part.js";

/** The page. `done` is called once the host knows the token; `problem` says why the one before was not good. */
export function login(done, problem) {
  const field = h("input", { id: "token", type: "password", required: true, autocomplete: "current-password" });
  const wrong = h("div", {}, problem && problemBox(problem));
  const button = h("button", { type: "submit", class: "main" }, "Log in");
  const form = h("form", { class: "login" },
    h("label", { for: "token" }, "Token"), field, button, wrong);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const token = field.value.trim();
    button.disabled = true;
    try {
      // A header holds nothing else, and no token has anything else.
      if (!/^[\x21-\x7e]+$/.test(token)) throw refused();
      keepToken(token);
      await slowly(get("health"), wrong);
      done();
    } catch (problem) {
      forgetToken();
      wrong.replaceChildren(problemBox(problem));
      field.focus();
    } finally {
      button.disabled = false;
    }
  });

  const body = [
    p("This host wants to know who asks. Log in with a token that has the scope ", code("admin"),
      ", or ", code("audit:read"), " for the record alone. It is kept for this tab, until you log out or close it."),
    form,
    h("p", { class: "quiet" }, "On the host, this makes one: ",
      command("packhost tokens create console --scope admin --expires 12h")),
  ];
  return { title: "Log in", body, alone: true };
}

function refused() {
  return new Problem(401, {
    title: "That is no token.",
    detail: "A token has letters, digits and signs alone, without spaces.",
    fix: "Paste what `packhost tokens create` has printed.",
  });
}
