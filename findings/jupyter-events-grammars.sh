#!/bin/sh
# jupyter-events 0.12.1, jsonschema 4.26.0, rfc3987-syntax 1.1.0, lark 1.3.1
# `import jupyter_events`, which every notebook server and hub does as it starts, builds 39 parsers
# for the syntax of international web addresses: jsonschema's extra `format-nongpl`, which
# jupyter-events asks for, brings rfc3987-syntax, and that builds all of its grammars when it is
# imported. Hidden, it leaves jsonschema without the checks of `iri` and `iri-reference`, and the
# import takes a quarter of the CPU time or less. Seen (seconds are one machine's, and not compared):
#   as installed: 39 grammars, 1.06 s of CPU
#   without rfc3987_syntax: 0 grammars, 0.15 s of CPU
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
python3 -m venv "$folder/venv"
timeout 300 "$folder/venv/bin/pip" install -q --no-cache-dir --disable-pip-version-check \
    jupyter-events==0.12.1 jsonschema==4.26.0 rfc3987-syntax==1.1.0 lark==1.3.1
cat > "$folder/seen.py" <<'END'
import sys
import time

import lark

made = 0
usual = lark.Lark.__init__


def counted(self: lark.Lark, *arguments: object, **options: object) -> None:
    global made
    made += 1
    usual(self, *arguments, **options)


lark.Lark.__init__ = counted
if sys.argv[1:] == ["hidden"]:
    sys.modules["rfc3987_syntax"] = None
begun = time.process_time()
import jupyter_events  # noqa: E402, F401

print(f"{made} grammars, {time.process_time() - begun:.2f} s of CPU")
END
cd "$folder"
# The first import compiles the modules to bytecode, which isn't what is measured.
for which in first installed hidden; do
    timeout 60 venv/bin/python seen.py "$which" > "$which" 2> errors || { cat errors; exit 1; }
done
echo "as installed: $(cat installed)"
echo "without rfc3987_syntax: $(cat hidden)"
found=$(cut -d' ' -f1 installed hidden | paste -sd' ')
[ "$found" = "39 0" ] || { echo "This has changed."; exit 1; }
