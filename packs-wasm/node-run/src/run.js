// Runs the file in argv[2] as a script. The value of its last expression goes to argv[3] as JSON, or as text where JSON has
// no word for it. A promise is waited for.
const fs = require("node:fs");
const vm = require("node:vm");
const util = require("node:util");
const [path, out, ...rest] = process.argv.slice(1);
fs.rmSync(out, { force: true }); // of an earlier call in this sandbox
process.argv = [process.argv[0], "main.js", ...rest];
globalThis.require = require("node:module").createRequire(process.cwd() + "/");
const done = new vm.Script(fs.readFileSync(path, "utf8"), { filename: "main.js" }).runInThisContext();
Promise.resolve(done).then((value) => {
  if (value === undefined) return;
  let text;
  try { text = JSON.stringify(value); } catch { text = undefined; }
  fs.writeFileSync(out, text ?? JSON.stringify(util.inspect(value)));
}, (error) => { console.error(error); process.exitCode = 1; });
