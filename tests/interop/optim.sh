#!/bin/sh
# The committed numbers of tests/golden/optim.txt are what PyTorch and the formulas give today (where PyTorch is installed).
python3 -c 'import torch, numpy' 2>/dev/null || { echo "PyTorch or numpy is not installed: skipped"; exit 77; }
python3 "$LAMINA_ROOT/tests/golden/generate_optim.py" >optim.txt || exit 1
python3 - "$LAMINA_ROOT/tests/golden/optim.txt" optim.txt <<'END'
import sys

committed, fresh = (open(path).read().split() for path in sys.argv[1:])
assert len(committed) == len(fresh), "another number of values"
for a, b in zip(committed, fresh):
    if a != b and abs(float(a) - float(b)) > 1e-7 * max(1, abs(float(b))):
        sys.exit(f"{a} is committed, {b} is computed")
END
