#!/usr/bin/env python3
"""The two maps of 8-bit optimizer state (Dettmers et al. 2021, arXiv 2110.02861, "dynamic tree quantization"; bitsandbytes'
create_dynamic_map, from which these numbers differ by at most two places of fp32, because it adds in fp32).

For i = 0..6 the numbers [0.1, 1] are split into n = 2^i (signed) or 2^(i+1) (unsigned) equal cells; their midpoints times 10^(i-6), the
signed ones with both signs, and 0 and 1 are the 256 entries. Everything here is exact until it is rounded once.

usage: python3 tests/golden/generate_q8_map.py > tests/golden/q8_map.txt         the entries, signed then unsigned
       python3 tests/golden/generate_q8_map.py tables > worker/optim/q8_map.c    with the tables that find a code
"""
import struct
import sys
from fractions import Fraction

import numpy as np


def magnitudes(signed):
    """The entries from 0 up."""
    entries = [Fraction(0), Fraction(1)]
    for i in range(7):
        n = 2**i if signed else 2 ** (i + 1)
        entries += [(Fraction(1, 10) + Fraction(9, 10) * (2 * k + 1) / (2 * n)) / 10 ** (6 - i) for k in range(n)]
    return [fp32(x) for x in sorted(entries)]


def fp32(x):
    """The nearest fp32 of a fraction, exactly."""
    near = np.float32(float(x))
    return min((np.nextafter(near, np.float32(s)) for s in (-9, near, 9)), key=lambda f: abs(Fraction(float(f)) - x))


def entries(signed):
    up = magnitudes(signed)
    return [-x for x in up[127:0:-1]] + up if signed else up


def bits(x):
    return struct.unpack("<I", struct.pack("<f", x))[0]


def number(b):
    return struct.unpack("<f", struct.pack("<I", b))[0]


def last_below(entry, following):
    """Bits of the largest fp32 that is not nearer to the following entry."""
    middle = (Fraction(float(entry)) + Fraction(float(following))) / 2
    b = bits(fp32(middle))
    return b - 1 if Fraction(number(b)) > middle else b


def bucket_of(b, n):
    """The function of worker/optim/storage.c, on the bits of a ratio."""
    return int(np.float32(number((b >> 2) + 0x2FA00000)) * np.float32(n))


def buckets(signed, n):
    """Per bucket: the magnitude's number at its lower end, and what makes the sum with a ratio's bits carry into the next number."""
    up = magnitudes(signed)
    borders = [last_below(a, b) for a, b in zip(up, up[1:])]
    inside = [[t for t in borders if bucket_of(t + 1, n) == k] for k in range(n + 1)]
    assert max(map(len, inside)) == 1
    words, first = [], 0
    for t in inside:
        words.append(first << 32 | (0xFFFFFFFF - t[0] if t else 0))
        first += len(t)
    return words


def block(items, per_line, indent):
    lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
    return (",\n" + indent).join(lines)


def tables():
    print("/* Written by tests/golden/generate_q8_map.py tables; tests/unit/storage.c checks every number of it. */")
    print('#define LAMINA_OPTIM_INSIDE\n#include "q8_map.h"\n\n/* clang-format off */')
    for name, signed, n in (("signed", True, 384), ("positive", False, 640)):
        words = [f"0x{w:010x}" for w in buckets(signed, n)]
        print(f"static const uint64_t {name}_bucket[] = {{\n    {block(words, 10, '    ')} }};\n")
        values = [f"{float(x):.9g}" for x in entries(signed)]
        values = [v + ("f" if "." in v or "e" in v else ".0f") for v in values]
        up = magnitudes(signed)
        least, most = (0, float(up[127])) if signed else (float(up[1]), 1)
        print(f"const struct q8_map q8_map_{name} = {{")
        print(f"    .zero = {127 if signed else 0}, .buckets = {n}, .bucket = {name}_bucket,")
        print(f"    .least = {least:.9g}{'' if least == 0 else 'f'}, .most_negative = {most:.9g}{'' if most == 1 else 'f'},")
        print(f"    .value = {{\n    {block(values, 10, '    ')} }} }};" + ("\n" if signed else "\n/* clang-format on */"))


if __name__ == "__main__":
    if sys.argv[1:] == ["tables"]:
        tables()
    else:
        for signed in (True, False):
            print("\n".join(" ".join(f"{float(x):.9g}" for x in entries(signed)[i : i + 8]) for i in range(0, 256, 8)))
