#!/usr/bin/env python3
"""Writes optim.txt: what each optimizer does to small tensors in six steps. Other files generate_optim_NAME.py take the problem and the
writer from here and write optim_NAME.txt; the golden test reads every optim*.txt.

SGD, Adam, AdamW, NAdam and Adafactor are PyTorch's own (torch.optim, fp64, so that its rounding does not count); Lion, Adalayer, row-wise
Adam, running-mean SGD, optax's NAdam and the cautious rules are their papers' formulas in float64. Inputs are multiples of 2^-20: exact in
fp32 and in the driver's fixed point.    usage: python3 tests/golden/generate_optim.py > tests/golden/optim.txt
"""
import numpy as np
import torch

STEPS, SHAPES = 6, [(5, 7), (1, 9), (1, 1)]
DIMS = [2, 1, 2]
random = np.random.default_rng(20240714)


def numbers(shape, scale):
    return np.round(random.normal(size=shape) * scale * 2**20) / 2**20


THETA = [numbers(s, 0.5) for s in SHAPES]
GRAD = [[numbers(s, 0.3 * (1 + t % 3)) * (1 + 3 * (np.arange(s[0]) % 2))[:, None] for s in SHAPES] for t in range(STEPS)]
for g in GRAD:
    g[0][2, 3] = g[1][0, 4] = 0.0  # an element that never sees a gradient


def by_torch(make):
    params = [torch.nn.Parameter(torch.tensor(x if d == 2 else x[0], dtype=torch.float64)) for x, d in zip(THETA, DIMS)]
    optimizer = make(params)
    for grads in GRAD:
        for p, g, d in zip(params, grads, DIMS):
            p.grad = torch.tensor(g if d == 2 else g[0], dtype=torch.float64)
        optimizer.step()
        yield [p.detach().numpy().reshape(s) for p, s in zip(params, SHAPES)]


def by_formula(rule, lr, decay=0.0, cautious=False, cautious_decay=False, clip=0.0):
    theta = [x.copy() for x in THETA]
    state = [{} for _ in theta]
    for t, grads in enumerate(GRAD, 1):
        norm = np.sqrt(sum((g**2).sum() for g in grads))
        scale = min(1.0, clip / (norm + 1e-6)) if clip else 1.0
        for x, s, g in zip(theta, state, grads):
            u = rule(s, g * scale, t)
            if cautious:
                mask = u * g > 0
                u = u * mask / max(mask.mean(), 1e-3)
            keep = np.where(u * x >= 0, 1 - lr * decay, 1.0) if cautious_decay else 1 - lr * decay
            x *= keep
            x -= lr * u
        yield [x.copy() for x in theta]


def lion(b1=0.9, b2=0.99):
    def rule(s, g, t):
        m = s.get("m", np.zeros_like(g))
        s["m"] = b2 * m + (1 - b2) * g
        return np.sign(b1 * m + (1 - b1) * g)
    return rule


def block_adam(b1, b2, eps, axes, optax_nadam=False):
    """axes: the axes over which g^2 is averaged (None: all, (): none, 1: rows)."""
    def rule(s, g, t):
        square = (g**2).mean(axis=axes, keepdims=True) if axes != () else g**2
        s["m"] = b1 * s.get("m", 0) + (1 - b1) * g
        s["v"] = b2 * s.get("v", 0) + (1 - b2) * square
        n = s["m"] / (1 - b1**t)
        if optax_nadam:
            n = b1 * s["m"] / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
        return n / (np.sqrt(s["v"] / (1 - b2**t)) + eps)
    return rule


def ema_sgd(beta, debias, nesterov):
    def rule(s, g, t):
        s["m"] = beta * s.get("m", 0) + (1 - beta) * g
        now, then = (1 - beta**t, 1 - beta ** (t + 1)) if debias else (1, 1)
        return beta * s["m"] / then + (1 - beta) * g / now if nesterov else s["m"] / now
    return rule


def line(x):
    return " ".join(f"{v:.9g}" for v in x.reshape(-1))


def write(cases):
    """cases: (optimizer, its settings, lr, weight decay, driver settings, clip, tolerance, trajectory of weights)."""
    print(f"steps {STEPS} tensors {len(SHAPES)}")
    for (rows, cols), d, x in zip(SHAPES, DIMS, THETA):
        print(f"tensor {rows} {cols} {d}\n{line(x)}")
    for g in GRAD:
        for x in g:
            print(line(x))
    for name, settings, lr, decay, driver, clip, tolerance, trajectory in cases:
        print(f"case {name} | {settings} | lr {lr} decay {decay} clip {clip} tolerance {tolerance} | {driver}")
        for t, theta in enumerate(trajectory, 1):
            if t in (1, 3, STEPS):
                for x in theta:
                    print(line(x))
    print("end")


if __name__ == "__main__":
    O = torch.optim
    CASES = [
        ("sgd", "", 0.1, 0, "", 0, 1e-6, by_torch(lambda p: O.SGD(p, lr=0.1))),
        ("sgd", "momentum=0.9", 0.1, 0.05, "", 0, 1e-6, by_torch(lambda p: O.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.05))),
        ("sgd", "momentum=0.9 dampening=0.3", 0.1, 0, "", 0, 1e-6, by_torch(lambda p: O.SGD(p, lr=0.1, momentum=0.9, dampening=0.3))),
        ("sgd", "momentum=0.8 nesterov=true", 0.1, 0.1, "", 0, 1e-6, by_torch(lambda p: O.SGD(p, lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.1))),
        ("sgd", "momentum=0.9:ema", 0.5, 0, "", 0, 1e-6, by_formula(ema_sgd(0.9, False, False), 0.5)),
        ("sgd", "momentum=0.9:ema:debias decay=before", 0.3, 0.1, "", 0, 1e-6, by_formula(ema_sgd(0.9, True, False), 0.3, 0.1)),
        ("sgd", "momentum=0.9:ema nesterov=true decay=before", 0.3, 0.1, "", 0, 1e-6, by_formula(ema_sgd(0.9, False, True), 0.3, 0.1)),
        ("sgd", "momentum=0.9:ema:debias nesterov=true decay=before", 0.3, 0.1, "", 0, 1e-6, by_formula(ema_sgd(0.9, True, True), 0.3, 0.1)),
        ("adam", "", 0.05, 0.1, "", 0, 1e-6, by_torch(lambda p: O.Adam(p, lr=0.05, weight_decay=0.1))),
        ("adamw", "betas=[0.9,0.95]", 0.05, 0.1, "", 0, 1e-6, by_torch(lambda p: O.AdamW(p, lr=0.05, betas=(0.9, 0.95), weight_decay=0.1))),
        ("adamw", "amsgrad=true betas=[0.9,0.5]", 0.05, 0.1, "", 0, 1e-6, by_torch(lambda p: O.AdamW(p, lr=0.05, betas=(0.9, 0.5), weight_decay=0.1, amsgrad=True))),
        ("adam", "nadam=torch", 0.05, 0.1, "", 0, 1e-6, by_torch(lambda p: O.NAdam(p, lr=0.05, weight_decay=0.1))),
        ("adamw", "nadam=torch momentum_decay=0.1", 0.05, 0.1, "", 0, 1e-6, by_torch(lambda p: O.NAdam(p, lr=0.05, weight_decay=0.1, momentum_decay=0.1, decoupled_weight_decay=True))),
        ("adamw", "nadam=optax", 0.05, 0, "", 0, 1e-6, by_formula(block_adam(0.9, 0.999, 1e-8, (), True), 0.05)),
        ("adamw", "granularity=row", 0.05, 0.1, "", 0, 1e-6, by_formula(block_adam(0.9, 0.999, 1e-8, 1), 0.05, 0.1)),
        ("adamw", "", 0.05, 0.1, "clip", 1.5, 1e-6, by_formula(block_adam(0.9, 0.999, 1e-8, ()), 0.05, 0.1, clip=1.5)),
        ("adamw", "", 0.05, 0.5, "cautious cautious_decay", 0, 1e-6, by_formula(block_adam(0.9, 0.999, 1e-8, ()), 0.05, 0.5, cautious=True, cautious_decay=True)),
        ("adalayer", "", 0.05, 0.1, "", 0, 1e-6, by_formula(block_adam(0.9, 0.95, 1e-15, None), 0.05, 0.1)),
        ("adalayer", "granularity=row", 0.05, 0, "", 0, 1e-6, by_formula(block_adam(0.9, 0.95, 1e-15, 1), 0.05)),
        ("adalayer", "", 0.05, 0, "cautious", 0, 1e-6, by_formula(block_adam(0.9, 0.95, 1e-15, None), 0.05, cautious=True)),
        ("lion", "", 0.05, 0.3, "", 0, 1e-6, by_formula(lion(), 0.05, 0.3)),
        ("adafactor", "", 0.5, 0.1, "", 0, 1e-5, by_torch(lambda p: O.Adafactor(p, lr=0.5, weight_decay=0.1, eps=(2**-23, 1e-3)))),
        ("adafactor", "update_clip=1.5 decay_rate=0.6 eps=[1e-3,2.0]", 0.2, 0, "", 0, 1e-5, by_torch(lambda p: O.Adafactor(p, lr=0.2, weight_decay=0, eps=(1e-3, 2.0), d=1.5, beta2_decay=-0.6))),
    ]
    write(CASES)
