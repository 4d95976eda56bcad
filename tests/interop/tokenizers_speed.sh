#!/bin/sh
# timeout: 600
# Encoding on one core beside the tokenizers library (where it is installed), on the same text with the same file: processor seconds of both,
# and ids that are equal. The aim is twice the library's rate; with TEXT=FILE in the environment on that text.
python3 -c 'import tokenizers' 2>/dev/null || { echo "the Python package tokenizers is not installed: skipped"; exit 77; }
set -eu
if [ -n "${TEXT:-}" ]; then
    head -c 8000000 "$TEXT" | python3 -c 'import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().decode("utf-8", "replace").encode())' >text.txt
else
    cat "$LAMINA_ROOT"/*/*.[ch] "$LAMINA_ROOT"/*/*/*.[ch] "$LAMINA_ROOT"/*.md "$LAMINA_ROOT"/*/*.md >text.txt
fi
for pattern in gpt2 llama3; do
    "$LAMINA" tokenizer train --vocab 4096 --pattern $pattern --out $pattern.json text.txt >/dev/null
    "$LAMINA" bench --tokenizer $pattern.json --text text.txt --json >ours.json
    "$LAMINA" tokenizer encode --tokenizer $pattern.json text.txt >ids.txt
    TOKENIZERS_PARALLELISM=false python3 - $pattern.json <<'END'
import json, sys, time
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
data = open("text.txt", "rb").read()
text = data.decode()
best = 0
for parts in ([text], text.splitlines(keepends=True)):  # the library likes lines better
    begin = time.thread_time()
    encoded = [tokenizer.encode(part, add_special_tokens=False).ids for part in parts]
    best = max(best, len(data) / (time.thread_time() - begin))
    if len(parts) == 1:
        assert encoded[0] == [int(i) for i in open("ids.txt").read().split()], "other ids"
ours = json.load(open("ours.json"))["bytes_per_second"]
print("%s, one core: lamina %.1f MB/s, the tokenizers library %.1f MB/s: %.1f times" % (sys.argv[1], ours / 1e6, best / 1e6, ours / best))
sys.exit(0 if ours >= 2 * best else "less than twice the library's rate")
END
done
