#!/usr/bin/env python3
"""Writes optim_blocks.txt: second moments shared by blocks (Adam-mini, Adalayer and relatives), Adafactor's three variants, Schedule-Free.

Adafactor is PyTorch's and transformers' own class in fp64; T5X's, the blocks and Schedule-Free are formulas in float64 (the papers', and
what zyushun/Adam-mini, rosieyzh/optimizers-llm, google-research/t5x and facebookresearch/schedule_free compute).
usage: python3 tests/golden/generate_optim_blocks.py > tests/golden/optim_blocks.txt
"""
import numpy as np
import torch
from generate_optim import GRAD, SHAPES, THETA, by_torch, write
from transformers.optimization import Adafactor as TransformersAdafactor


def adam_with_blocks(blocks, lr, decay=0.0, b1=0.9, b2=0.95, eps=1e-15, frozen_after=0, amsgrad=False):
    """blocks(shape): lists of row indices, the g^2 of each list have one mean; elements outside keep their own. "model": one mean
    for all tensors."""
    theta = [x.copy() for x in THETA]
    m = [np.zeros(s) for s in SHAPES]
    v = [np.zeros(s) for s in SHAPES]
    most = [np.zeros(s) for s in SHAPES]
    for t, grads in enumerate(GRAD, 1):
        everything = np.concatenate([g.ravel() for g in grads])
        for i, g in enumerate(grads):
            square = g**2
            if blocks == "model":
                square[:] = np.mean(everything**2)
            else:
                for rows in blocks(g.shape):
                    square[rows] = np.mean(g[rows] ** 2)
            m[i] = b1 * m[i] + (1 - b1) * g
            if frozen_after == 0:
                v[i] = b2 * v[i] + (1 - b2) * square
            elif t <= frozen_after:
                v[i] = v[i] + (square - v[i]) / (t + 1)
                continue
            most[i] = np.maximum(most[i], v[i])
            used = (most[i] if amsgrad else v[i]) / (1 if frozen_after else 1 - b2**t)
            theta[i] = theta[i] * (1 - lr * decay) - lr * (m[i] / (1 - b1**t)) / (np.sqrt(used) + eps)
        yield [x.copy() for x in theta]


def heads(n):
    return lambda shape: [list(range(first, min(first + n, shape[0]))) for first in range(0, shape[0], n)]


def whole(shape):
    return [list(range(shape[0]))]


def parts(*rows):
    def of(shape):
        if sum(rows) != shape[0]:
            return whole(shape)
        ends = np.cumsum(rows)
        return [list(range(end - n, end)) for n, end in zip(rows, ends)]
    return of


def t5x(lr, decay=0.0, eps=(1e-30, 1e-3), clip=1.0, rate=0.8, beta1=None, scale=True, min_dim=128):
    theta = [x.copy() for x in THETA]
    state = [{} for _ in theta]
    for t, grads in enumerate(GRAD, 1):
        beta = 1 - t**-rate
        for i, (s, g) in enumerate(zip(state, grads)):
            square = g**2 + eps[0]
            alpha = lr * (max(eps[1], np.sqrt(np.mean(theta[i] ** 2))) if scale else 1)
            if min(g.shape) >= min_dim and i != 1:  # tensor 1 is a vector
                s["r"] = beta * s.get("r", 0) + (1 - beta) * square.mean(axis=1)
                s["c"] = beta * s.get("c", 0) + (1 - beta) * square.mean(axis=0)
                estimate = np.outer(s["r"] / s["r"].mean(), s["c"])
            else:
                estimate = s["v"] = beta * s.get("v", 0) + (1 - beta) * square
            u = g / np.sqrt(estimate)
            u = alpha * u / max(1, np.sqrt(np.mean(u**2)) / clip)
            if beta1 is not None:
                u = s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * u
            theta[i] = theta[i] - u - decay * theta[i]
        yield [x.copy() for x in theta]


def schedule_free(lr, decay=0.0, b1=0.9, b2=0.999, eps=1e-8, warmup=0, r=0.0, power=2.0):
    """Algorithm 1 with its three sequences written out; yields y."""
    x, z, y = ([a.copy() for a in THETA] for _ in range(3))
    v = [np.zeros(s) for s in SHAPES]
    total = most = 0.0
    for t, grads in enumerate(GRAD, 1):
        eta = lr * min(1, t / warmup) if warmup else lr
        most = max(most, eta)
        weight = t**r * most**power
        total += weight
        c = weight / total
        for i, g in enumerate(grads):
            v[i] = b2 * v[i] + (1 - b2) * g**2
            z[i] = z[i] - eta * (g / (np.sqrt(v[i] / (1 - b2**t)) + eps) + decay * y[i])
            x[i] = (1 - c) * x[i] + c * z[i]
            y[i] = (1 - b1) * z[i] + b1 * x[i]
        yield [a.copy() for a in y]


def hf(**settings):
    return by_torch(lambda p: TransformersAdafactor(p, **settings))


if __name__ == "__main__":
    A = torch.optim.Adafactor
    MINI = dict(b2=0.999, eps=1e-8)
    CASES = [
        ("adam-mini", "", 0.05, 0.1, adam_with_blocks(heads(1), 0.05, 0.1, **MINI)),
        ("adam-mini", "granularity=head head_rows=2", 0.05, 0.1, adam_with_blocks(heads(2), 0.05, 0.1, **MINI)),
        ("adam-mini", "granularity=head head_rows=3 amsgrad=true betas=[0.9,0.5]", 0.05, 0, adam_with_blocks(heads(3), 0.05, b2=0.5, eps=1e-8, amsgrad=True)),
        ("adam-mini", "granularity=head", 0.05, 0, adam_with_blocks(heads(1), 0.05, **MINI)),
        ("adam-mini", "granularity=tensor", 0.05, 0.1, adam_with_blocks(whole, 0.05, 0.1, **MINI)),
        ("adam-mini", "granularity=element", 0.05, 0.1, by_torch(lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1))),
        ("adamw", "granularity=model", 0.05, 0.1, adam_with_blocks("model", 0.05, 0.1, **MINI)),
        ("adamw", "granularity=head head_rows=4", 0.05, 0.1, adam_with_blocks(heads(4), 0.05, 0.1, **MINI)),
        ("adalayer", "granularity=model", 0.05, 0, adam_with_blocks("model", 0.05)),
        ("adalayer", "granularity=head head_rows=2", 0.05, 0, adam_with_blocks(heads(2), 0.05)),
        ("adalayer", "split=[2,3]", 0.05, 0.1, adam_with_blocks(parts(2, 3), 0.05, 0.1)),
        ("adalayer", "split=[1,1,3] amsgrad=true betas=[0.9,0.5]", 0.05, 0, adam_with_blocks(parts(1, 1, 3), 0.05, b2=0.5, amsgrad=True)),
        ("adalayer", "frozen_after=2", 0.05, 0.1, adam_with_blocks(whole, 0.05, 0.1, frozen_after=2)),
        ("adalayer", "frozen_after=1 granularity=row", 0.05, 0.1, adam_with_blocks(heads(1), 0.05, 0.1, frozen_after=1)),
        ("adalayer", "frozen_after=2 split=[4,1]", 0.05, 0, adam_with_blocks(parts(4, 1), 0.05, frozen_after=2)),
        ("adalayer", "frozen_after=2 granularity=element eps=1e-3", 0.05, 0, adam_with_blocks(lambda shape: [], 0.05, eps=1e-3, frozen_after=2)),
        ("adafactor", "", -1, 0.1, by_torch(lambda p: A(p, lr=1e-2, weight_decay=0.1, eps=(2**-23, 1e-3)))),
        ("adafactor", "eps=[0.3,1e-3]", 0.05, 0.1, by_torch(lambda p: A(p, lr=0.05, weight_decay=0.1, eps=(0.3, 1e-3)))),
        ("adafactor", "variant=hf", -1, 0.1, hf(weight_decay=0.1)),
        ("adafactor", "variant=hf relative_step=true warmup_init=true scale_parameter=false", -1, 0, hf(warmup_init=True, scale_parameter=False)),
        ("adafactor", "variant=hf", 0.1, 0.3, hf(lr=0.1, weight_decay=0.3, relative_step=False)),
        ("adafactor", "variant=hf relative_step=false scale_parameter=false beta1=0.9 update_clip=0.5", 0.1, 0.3, hf(lr=0.1, weight_decay=0.3, relative_step=False, scale_parameter=False, beta1=0.9, clip_threshold=0.5)),
        ("adafactor", "variant=hf eps=[0.1,0.6] decay_rate=0.5", 0.1, 0, hf(lr=0.1, relative_step=False, eps=(0.1, 0.6), decay_rate=-0.5)),
        ("adafactor", "variant=t5x", 0.1, 0, t5x(0.1)),
        ("adafactor", "variant=t5x min_dim=5", 0.1, 0.1, t5x(0.1, 0.1, min_dim=5)),
        ("adafactor", "variant=t5x min_dim=0 scale_parameter=false beta1=0.8", 0.02, 0.01, t5x(0.02, 0.01, beta1=0.8, scale=False, min_dim=0)),
        ("adafactor", "variant=t5x min_dim=6 decay_rate=0.6 update_clip=0.7 eps=[0.01,2.0]", 0.02, 0, t5x(0.02, rate=0.6, clip=0.7, eps=(0.01, 2.0), min_dim=6)),
        ("schedule-free", "", 0.05, 0, schedule_free(0.05)),
        ("schedule-free", "warmup=4", 0.05, 0.1, schedule_free(0.05, 0.1, warmup=4)),
        ("schedule-free", "r=1.5 betas=[0.95,0.9]", 0.05, 0.1, schedule_free(0.05, 0.1, b1=0.95, b2=0.9, r=1.5)),
        ("schedule-free", "warmup=10 weight_lr_power=0 eps=1e-3", 0.05, 0, schedule_free(0.05, warmup=10, power=0, eps=1e-3)),
        ("schedule-free", "warmup=3 weight_lr_power=1 r=2", 0.05, 0.5, schedule_free(0.05, 0.5, warmup=3, power=1, r=2)),
    ]
    write([(name, settings, lr, decay, "", 0, 1e-6, trajectory) for name, settings, lr, decay, trajectory in CASES])
