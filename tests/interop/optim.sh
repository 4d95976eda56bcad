#!/bin/sh
# The committed numbers of tests/golden/optim*.txt are what PyTorch, transformers and the formulas give today (where they are installed).
python3 -c 'import torch, numpy, transformers' 2>/dev/null || { echo "PyTorch, numpy or transformers is not installed: skipped"; exit 77; }
for generator in "$LAMINA_ROOT"/tests/golden/generate_optim*.py; do
    name=$(basename "$generator" .py)
    name=${name#generate_}
    python3 "$generator" >"$name.txt" || exit 1
    python3 - "$LAMINA_ROOT/tests/golden/$name.txt" "$name.txt" <<'END' || exit 1
import sys

committed, fresh = (open(path).read().split() for path in sys.argv[1:])
assert len(committed) == len(fresh), "another number of values"
for a, b in zip(committed, fresh):
    if a != b and abs(float(a) - float(b)) > 1e-7 * max(1, abs(float(b))):
        sys.exit(f"{sys.argv[1]}: {a} is committed, {b} is computed")
END
done
