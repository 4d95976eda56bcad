#!/bin/sh
# timeout: 900
# Ids of tokenizer.json files of seven families, and of a file of our own, equal those of the tokenizers library (where it is installed) on
# 10,000 lines of many scripts; ids of one document that streams too; and text that is decoded.
python3 -c 'import tokenizers' 2>/dev/null || { echo "the Python package tokenizers is not installed: skipped"; exit 77; }
set -eu
python3 - >text.txt <<'END'
import random, sys
sys.path.insert(0, __import__("os").environ["LAMINA_ROOT"] + "/tests/interop")
import tokenizers_library as t
r = random.Random(2)
sys.stdout.buffer.write("\n".join(t.line(r) for _ in range(3000)).encode())
END
for pattern in gpt2 llama3 qwen2; do
    "$LAMINA" tokenizer train --vocab 1000 --pattern "$pattern" --out "own-$pattern.json" text.txt >/dev/null
done
python3 "$LAMINA_ROOT/tests/interop/tokenizers_library.py" "$LAMINA" own-gpt2.json own-llama3.json own-qwen2.json
