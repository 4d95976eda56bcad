#!/usr/bin/env python3
"""Compare golden files of two folders: model_pytorch.py COMMITTED MADE. Another processor or release of PyTorch rounds differently, so
numbers may differ by 1e-4 of the largest of their tensor (an exact zero that shows rounding only: by 1e-6)."""
import glob
import os
import sys


def tensors(path):
    with open(path) as lines:
        header = None
        for line in lines:
            if line.startswith("tensor"):
                header = line.split()
            elif header is not None:
                yield header[1], int(header[2]), float(header[4]), [float(v) for v in line.split()]
                header = None


def main(committed, made):
    problems, compared = [], 0
    paths = sorted(glob.glob(os.path.join(committed, "model_*.txt")))
    for path in paths:
        name = os.path.basename(path)
        ours, theirs = list(tensors(path)), list(tensors(os.path.join(made, name)))
        if [t[:2] for t in ours] != [t[:2] for t in theirs]:
            problems.append(f"{name}: not the same tensors")
            continue
        for (tensor, _, largest, a), (_, _, _, b) in zip(ours, theirs):
            compared += 1
            worst = max(abs(x - y) for x, y in zip(a, b))
            if worst > max(1e-4 * largest, 1e-6):
                problems.append(f"{name}: {tensor} differs by {worst:.3g}, largest {largest:.3g}")
    print("\n".join(problems) if problems else f"{compared} tensors of {len(paths)} models agree")
    return 1 if problems or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
