#!/usr/bin/env python3
"""Writes optim_more.txt: Signum, LAMB, LARS, AdEMAMix, MARS and Sophia on the tensors of generate_optim.py. PyTorch has none of them: these
are the papers' formulas (and, by variant, those of optax, DeepSpeed and the authors' programs) in float64.

A function of this file turns (weights, gradient, state, step, settings) into new weights and knows its own weight decay.
usage: python3 tests/golden/generate_optim_more.py > tests/golden/optim_more.txt
"""
import math

import numpy as np

from generate_optim import DIMS, GRAD, STEPS, THETA, write


def norm(x):
    return math.sqrt((x * x).sum())


def run(step, **settings):
    theta = [x.copy() for x in THETA]
    state = [{} for _ in theta]
    for t in range(1, STEPS + 1):
        for i, (x, s, d) in enumerate(zip(theta, state, DIMS)):
            s.setdefault("dims", d)
            s["second gradient"] = GRAD[t % STEPS][i]  # of the golden test: the gradient of the step after, and of step 1 at the last
            theta[i] = step(x, GRAD[t - 1][i], s, t, **settings)
        yield [x.copy() for x in theta]


def moment(s, name, beta, x):
    s[name] = beta * s.get(name, np.zeros_like(x)) + (1 - beta) * x
    return s[name]


def masked(u, g):
    agree = np.where(u * g > 0, 1.0, 0.0)
    return u * agree / max(agree.mean(), 1e-3)


def signum(x, g, s, t, lr, beta=0.9, decay=0.0):
    return x - lr * (np.sign(moment(s, "m", beta, g)) + decay * x)


def lamb(x, g, s, t, lr, betas=(0.9, 0.999), eps=1e-6, decay=0.0, clamp=None, cautious=False):
    m = moment(s, "m", betas[0], g) / (1 - betas[0] ** t)
    v = moment(s, "v", betas[1], g * g) / (1 - betas[1] ** t)
    r = m / (np.sqrt(v) + eps) + decay * x
    ratio = norm(x) / norm(r) if norm(x) > 0 and norm(r) > 0 else 1.0
    if clamp:
        ratio = min(max(ratio, clamp[0]), clamp[1])
    return x - lr * (masked(ratio * r, g) if cautious else ratio * r)


def lamb_deepspeed(x, g, s, t, lr, betas=(0.9, 0.999), eps=1e-8, decay=0.0, clamp=(0.01, 10.0)):
    """The fused kernel up to 0.19.6: the step size takes the bias correction, the ratio does not see it."""
    m, v = moment(s, "m", betas[0], g), moment(s, "v", betas[1], g * g)
    r = m / (np.sqrt(v) + eps) + decay * x
    ratio = 1.0
    if norm(x) != 0 and norm(r) != 0:
        ratio = norm(x) / norm(r)
        if clamp:
            ratio = min(max(ratio, clamp[0]), clamp[1])
    size = lr * math.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
    return x - size * ratio * r


def lars(x, g, s, t, lr, mu=0.9, decay=0.0, trust=1e-3, joint=False, nesterov=False):
    local = 1.0
    if s["dims"] == 1:
        decay = 0.0
    else:
        below = norm(g + decay * x) if joint else norm(g) + decay * norm(x)
        if norm(x) > 0 and below > 0:
            local = trust * norm(x) / below
    step = lr * local * (g + decay * x)
    s["b"] = mu * s.get("b", 0.0) + step
    return x - (step + mu * s["b"] if nesterov else s["b"])


def ademamix(x, g, s, t, lr, betas=(0.9, 0.999, 0.9999), alpha=5.0, eps=1e-8, decay=0.0, alpha_warmup=0, beta3_warmup=0):
    b1, b2, b3 = betas
    if t < alpha_warmup:
        alpha *= t / alpha_warmup
    if t < beta3_warmup:  # the half-life, ln 0.5 / ln beta, is interpolated
        half = lambda beta: math.log(0.5) / math.log(max(beta, 1e-8))
        b3 = 0.5 ** (1 / ((1 - t / beta3_warmup) * half(b1) + t / beta3_warmup * half(b3)))
    fast = moment(s, "m1", b1, g) / (1 - b1**t)
    slow = moment(s, "m2", b3, g)
    root = np.sqrt(moment(s, "v", b2, g * g) / (1 - b2**t))
    with np.errstate(invalid="ignore"):
        u = np.nan_to_num((fast + alpha * slow) / (root + eps))
    return x - lr * (u + decay * x)


def newton_schulz(x, eps):
    """Singular values through (a + b s^2 + c s^4) s, five times; the vectors stay."""
    left, s, right = np.linalg.svd(x, full_matrices=False)
    s = s / (norm(x) + eps)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return left @ np.diag(s) @ right


def mars(x, g, s, t, lr, kind="adamw", betas=(0.95, 0.99), gamma=0.025, eps=1e-8, decay=0.0, lr_1d=3e-3, betas_1d=(0.9, 0.95),
         decay_1d=0.1, cautious=False):
    c = g
    if s["dims"] == 1:
        lr, betas, decay, kind = lr_1d, betas_1d, decay_1d, "adamw"
    else:
        c = g + gamma * betas[0] / (1 - betas[0]) * (g - s.get("last", 0.0))
        s["last"] = g
        if norm(c) > 1:
            c = c / norm(c)
    m = moment(s, "m", betas[0], c)
    if kind == "lion":
        u = np.sign(m)
    elif kind == "muon":
        u = math.sqrt(max(1.0, len(x) / len(x.T))) * newton_schulz(m / (1 - betas[0]), eps)
    else:
        u = m / (1 - betas[0] ** t) / (np.sqrt(moment(s, "v", betas[1], c * c) / (1 - betas[1] ** t)) + eps)
    return x - lr * decay * x - lr * (masked(u, g) if cautious else u)


def sophia(x, g, s, t, lr, tokens, betas=(0.965, 0.99), rho=0.04, every=10, decay=0.1):
    if (t - 1) % every == 0:
        moment(s, "h", betas[1], s["second gradient"] ** 2)
    m = moment(s, "m", betas[0], g)
    return x * (1 - lr * decay) - lr * np.clip(m / (rho * tokens * s["h"] + 1e-15), -1, 1)


if __name__ == "__main__":
    E = 1e-6
    write([
        ("signum", "", 0.05, 0, "", 0, E, run(signum, lr=0.05)),
        ("signum", "beta=0.6", 0.05, 0.3, "", 0, E, run(signum, lr=0.05, beta=0.6, decay=0.3)),
        ("signum", "beta=0", 0.05, 0.3, "", 0, E, run(signum, lr=0.05, beta=0, decay=0.3)),
        ("lamb", "", 0.05, 0, "", 0, E, run(lamb, lr=0.05)),
        ("lamb", "betas=[0.8,0.95]", 0.05, 0.2, "", 0, E, run(lamb, lr=0.05, betas=(0.8, 0.95), decay=0.2)),
        ("lamb", "eps=1e-3 clamp=[0.3,0.5]", 0.05, 0.2, "", 0, E, run(lamb, lr=0.05, eps=1e-3, decay=0.2, clamp=(0.3, 0.5))),
        ("lamb", "", 0.05, 0, "cautious", 0, E, run(lamb, lr=0.05, cautious=True)),
        ("lamb", "variant=deepspeed", 0.05, 0, "", 0, E, run(lamb_deepspeed, lr=0.05)),
        ("lamb", "variant=deepspeed betas=[0.8,0.95]", 0.05, 0.2, "", 0, E, run(lamb_deepspeed, lr=0.05, betas=(0.8, 0.95), decay=0.2)),
        ("lamb", "variant=deepspeed clamp=[0.15,0.2]", 0.05, 0.2, "", 0, E, run(lamb_deepspeed, lr=0.05, decay=0.2, clamp=(0.15, 0.2))),
        ("lamb", "variant=deepspeed clamp=none eps=1e-3", 0.05, 0, "", 0, E, run(lamb_deepspeed, lr=0.05, eps=1e-3, clamp=None)),
        ("lars", "", 0.5, 0, "", 0, E, run(lars, lr=0.5)),
        ("lars", "trust=0.1", 0.5, 0.2, "", 0, E, run(lars, lr=0.5, trust=0.1, decay=0.2)),
        ("lars", "trust=0.1 nesterov=true momentum=0.7", 0.5, 0.2, "", 0, E,
         run(lars, lr=0.5, mu=0.7, trust=0.1, decay=0.2, nesterov=True)),
        ("lars", "trust=0.1 momentum=0", 0.5, 0.2, "", 0, E, run(lars, lr=0.5, mu=0, trust=0.1, decay=0.2)),
        ("lars", "variant=joint trust=0.1", 0.5, 0.2, "", 0, E, run(lars, lr=0.5, trust=0.1, decay=0.2, joint=True)),
        ("lars", "variant=joint trust=0.1 nesterov=true", 0.5, 0, "", 0, E, run(lars, lr=0.5, trust=0.1, joint=True, nesterov=True)),
        ("ademamix", "", 0.05, 0.1, "", 0, E, run(ademamix, lr=0.05, decay=0.1)),
        ("ademamix", "betas=[0.8,0.95,0.99] alpha=8", 0.05, 0, "", 0, E, run(ademamix, lr=0.05, betas=(0.8, 0.95, 0.99), alpha=8.0)),
        ("ademamix", "alpha_warmup=4 beta3_warmup=5", 0.05, 0.1, "", 0, E,
         run(ademamix, lr=0.05, decay=0.1, alpha_warmup=4, beta3_warmup=5)),
        ("ademamix", "betas=[0.5,0.95,0.99] beta3_warmup=100", 0.05, 0, "", 0, E,
         run(ademamix, lr=0.05, betas=(0.5, 0.95, 0.99), beta3_warmup=100)),
        ("ademamix", "betas=[0,0.999,0.9999] alpha=2 beta3_warmup=5", 0.05, 0.1, "", 0, E,
         run(ademamix, lr=0.05, betas=(0, 0.999, 0.9999), alpha=2.0, decay=0.1, beta3_warmup=5)),
        ("ademamix", "alpha=2000", 0.5, 0, "", 0, E, run(ademamix, lr=0.5, alpha=2000.0)),  # shows the digits of 1 - beta3
        ("mars", "", 0.05, 0, "", 0, E, run(mars, lr=0.05)),
        ("mars", "betas=[0.9,0.95] gamma=0.1 lr_1d=0.01 betas_1d=[0.8,0.9] weight_decay_1d=0.3", 0.05, 0.2, "", 0, E,
         run(mars, lr=0.05, betas=(0.9, 0.95), gamma=0.1, decay=0.2, lr_1d=0.01, betas_1d=(0.8, 0.9), decay_1d=0.3)),
        ("mars", "", 0.05, 0.2, "cautious", 0, E, run(mars, lr=0.05, decay=0.2, cautious=True)),
        ("mars", "variant=lion", 0.05, 0.2, "", 0, E, run(mars, lr=0.05, kind="lion", decay=0.2)),
        ("mars", "variant=muon", 0.05, 0.2, "", 0, 1e-5, run(mars, lr=0.05, kind="muon", decay=0.2)),
        ("sophia", "batch_tokens=100", 0.05, 0.1, "", 0, E, run(sophia, lr=0.05, tokens=100)),
        ("sophia", "betas=[0.9,0.95] rho=0.02 every=2 batch_tokens=500", 0.05, 0, "", 0, E,
         run(sophia, lr=0.05, betas=(0.9, 0.95), rho=0.02, every=2, tokens=500, decay=0)),
    ])
