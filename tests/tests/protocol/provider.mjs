// An authorization server on loopback: npm's `oidc-provider`, with one client that has credentials of its own. Prints its
// issuer as JSON; `POST /rotate` gives it another key in place of the one that it has.
//
// node provider.mjs FOLDER-OF-OIDC-PROVIDER

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { default: Provider } = await import(pathToFileURL(join(process.argv[2], "lib/index.js")));

let keys = 0;

function provider(issuer) {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  keys += 1;
  const key = { ...privateKey.export({ format: "jwk" }), kid: `key-${keys}`, alg: "RS256", use: "sig" };
  return new Provider(issuer, {
    jwks: { keys: [key] },
    clients: [
      {
        client_id: "agent",
        client_secret: "secret-of-the-agent",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          scope: "packs:list packs:call packs:call:text.stats",
          audience: resource,
          accessTokenTTL: 600,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
  }).callback();
}

let answer;
const server = createServer((request, response) => {
  if (request.method === "POST" && request.url === "/rotate") {
    answer = provider(issuer);
    response.end();
  } else {
    answer(request, response);
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
answer = provider(issuer);
process.stdout.write(`${JSON.stringify({ issuer })}\n`);
// Nobody is left who could want anything.
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
