#!/usr/bin/env python3
"""Writes optim_q8.txt: rules whose state is kept in bytes between the steps, and in bf16.

8 bits (Dettmers et al. 2021, arXiv 2110.02861, fig. 1): state is decoded, the step is taken with the new moments as they are, and
then these are encoded against the new largest magnitude of their block of 256. Formulas in float64, the map from generate_q8_map.py. Every
trajectory is computed once more in float32 and must take the same codes, so that a correct program does, too, and its weights may be
compared closely. bf16 is rounded at random: there the reference has exact state, and the tolerance is some of bf16's places.

usage: python3 tests/golden/generate_optim_q8.py > tests/golden/optim_q8.txt
"""
import numpy as np

import generate_optim as base
from generate_q8_map import entries

BLOCK, STEPS = 256, 6
MAP = {signed: np.array(entries(signed), dtype=np.float64) for signed in (True, False)}

base.random = np.random.default_rng(20260801)
base.STEPS, base.SHAPES, base.DIMS = STEPS, [(18, 16), (1, 9), (1, 1)], [2, 1, 2]  # the first: a whole block and a short one
base.THETA = [base.numbers(s, 0.5) for s in base.SHAPES]
base.GRAD = [[base.numbers(s, 0.3 * (1 + t % 3)) * (1 + 3 * (np.arange(s[0]) % 2))[:, None] for s in base.SHAPES] for t in range(STEPS)]
for t, g in enumerate(base.GRAD):
    g[0][2, 3] = g[1][0, 4] = 0.0  # elements that never see a gradient
    g[0][4, 5] = 2.0**-18 if t % 2 == 0 else 0.0  # and one whose v would round to zero just before its gradient is zero
    g[0][17, 3:9] *= 2.0**-np.arange(3, 9)  # and small ones in the block of large ones


def code(x, signed):
    """Codes of the nearest entries, and scales. Halfway: the smaller magnitude. Not zero without sign: not code 0."""
    codes, scales = np.zeros(x.size, dtype=int), np.zeros(x.size)
    for at in range(0, x.size, BLOCK):
        part = x.reshape(-1)[at : at + BLOCK]
        scale = np.abs(part).max()
        ratio = (part / scale if scale > 0 else part).astype(np.float64)
        distance = np.abs(ratio[:, None] - MAP[signed]) + 1e-18 * np.abs(MAP[signed])
        nearest = distance.argmin(axis=1)
        if not signed:
            nearest[(part > 0) & (nearest == 0)] = 1
        codes[at : at + BLOCK], scales[at : at + BLOCK] = nearest, scale
    return codes, scales


class Eight:
    """State that is in bytes between the steps; remembers the codes it took."""

    def __init__(self, dtype):
        self.dtype, self.kept, self.history = dtype, {}, []

    def get(self, name, g):
        return self.kept.get(name, np.zeros_like(g)).astype(self.dtype)

    def put(self, name, x, signed):
        codes, scales = code(x, signed)
        self.kept[name] = (MAP[signed].astype(self.dtype)[codes] * scales.astype(self.dtype)).reshape(x.shape)
        self.history.append(codes)


class Exact(Eight):
    def put(self, name, x, signed):
        self.kept[name] = x


def adam(b1, b2, eps, amsgrad=False):
    def rule(s, g, t):
        m = b1 * s.get("m", g) + (1 - b1) * g
        v = b2 * s.get("v", g) + (1 - b2) * g * g
        s.put("m", m, True), s.put("v", v, False)
        if amsgrad:
            v = np.maximum(s.get("vmax", g), v)
            s.put("vmax", v, False)
        return m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
    return rule


def adalayer(b1, b2, eps):
    """v is one number of the tensor, which stays as it is."""
    def rule(s, g, t):
        m = b1 * s.get("m", g) + (1 - b1) * g
        v = s.kept["v"] = b2 * s.kept.get("v", 0) + (1 - b2) * (g * g).mean()
        s.put("m", m, True)
        return m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
    return rule


def lion(b1, b2):
    def rule(s, g, t):
        m = s.get("m", g)
        s.put("m", b2 * m + (1 - b2) * g, True)
        return np.sign(b1 * m + (1 - b1) * g)
    return rule


def heavy_ball(beta):
    def rule(s, g, t):
        m = beta * s.get("m", g) + g if t > 1 else g
        s.put("m", m, True)
        return m
    return rule


def run(rule, lr, decay=0.0, l2=False, cautious=False, state=Eight, dtype=np.float64):
    theta = [x.astype(dtype) for x in base.THETA]
    states, path = [state(dtype) for _ in theta], []
    for t, grads in enumerate(base.GRAD, 1):
        for x, s, g in zip(theta, states, grads):
            g = g.astype(dtype)
            u = rule(s, g + decay * x if l2 else g, t)
            if cautious:
                mask = u * g > 0
                u = u * mask / max(mask.mean(), 1e-3)
            x *= 1 if l2 else 1 - lr * decay
            x -= (lr * u).astype(dtype)
        path.append([x.copy() for x in theta])
    return path, [c for s in states for c in s.history]


def in_bytes(*args, **options):
    path, codes = run(*args, **options)
    _, single = run(*args, dtype=np.float32, **options)
    assert all((a == b).all() for a, b in zip(codes, single))
    return path


def in_bf16(*args, **options):
    return run(*args, state=Exact, **options)[0]


if __name__ == "__main__":
    base.write([
        ("adam", "", 0.05, 0.1, "q8", 0, 1e-6, in_bytes(adam(0.9, 0.999, 1e-8), 0.05, 0.1, l2=True)),
        ("adamw", "betas=[0.9,0.95]", 0.05, 0.1, "q8", 0, 1e-6, in_bytes(adam(0.9, 0.95, 1e-8), 0.05, 0.1)),
        ("adamw", "amsgrad=true betas=[0.9,0.5]", 0.05, 0.1, "q8", 0, 1e-6, in_bytes(adam(0.9, 0.5, 1e-8, True), 0.05, 0.1)),
        ("adamw", "", 0.05, 0, "q8 cautious", 0, 1e-6, in_bytes(adam(0.9, 0.999, 1e-8), 0.05, cautious=True)),
        ("lion", "", 0.05, 0.3, "q8", 0, 1e-6, in_bytes(lion(0.9, 0.99), 0.05, 0.3)),
        ("adalayer", "", 0.05, 0, "q8", 0, 1e-6, in_bytes(adalayer(0.9, 0.95, 1e-15), 0.05)),
        ("sgd", "momentum=0.9", 0.1, 0.05, "q8", 0, 1e-6, in_bytes(heavy_ball(0.9), 0.1, 0.05, l2=True)),
        ("adamw", "betas=[0.9,0.95]", 0.05, 0.1, "bf16", 0, 5e-3, in_bf16(adam(0.9, 0.95, 1e-8), 0.05, 0.1)),
        ("sgd", "momentum=0.9", 0.1, 0.05, "bf16", 0, 5e-3, in_bf16(heavy_ball(0.9), 0.1, 0.05, l2=True)),
    ])
