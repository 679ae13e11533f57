# Runs the file in argv[1] as a script. The value of its last line, where that is an expression, goes to argv[2] as JSON,
# or as its repr where JSON has no word for it.
import ast, json, linecache, os, sys, traceback
path, out = sys.argv[1], sys.argv[2]
if os.path.exists(out):  # of an earlier call in this sandbox
    os.remove(out)
sys.argv = ["main.py"] + sys.argv[3:]
sys.path.insert(0, "")
with open(path, encoding="utf-8") as file:
    source = file.read()
linecache.cache["main.py"] = (len(source), None, source.splitlines(True), "main.py")
value = None
try:
    tree = ast.parse(source, "main.py")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    scope = {"__name__": "__main__", "__builtins__": __builtins__}
    exec(compile(tree, "main.py", "exec"), scope)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "main.py", "eval"), scope)
except Exception as error:
    # The first frames are of this file and of what it called.
    traceback.print_exception(type(error), error, error.__traceback__.tb_next)
    sys.exit(1)
if value is not None:
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        text = json.dumps(repr(value))
    with open(out, "w", encoding="utf-8") as file:
        file.write(text)
