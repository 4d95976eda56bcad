#!/usr/bin/env python3
"""Writes optim_matrix.txt: what the optimizers of whole matrices do. Muon with PyTorch's scales is torch.optim.Muon (its bfloat16 left out);
everything else is the papers' formulas in float64: Newton-Schulz as a polynomial of singular values, roots and bases by numpy.linalg.
Inputs are made by the reader from a seed, as here. SOAP meets shapes whose first bases are determined: sides that differ by at most one, or
with the longer one left alone.      usage: python3 tests/golden/generate_optim_matrix.py > tests/golden/optim_matrix.txt
"""
import numpy as np
import torch
from numpy.linalg import eigh, norm, qr, svd


class Problem:
    """shapes: (rows, cols, dimensions). Numbers are sums of three uniform ones, multiples of 2^-21: exact in fp32 and in fixed point."""

    def __init__(self, steps, seed, report, shapes, projection=0):
        self.steps, self.seed, self.report, self.shapes, self.n_projection = steps, seed, report, shapes, projection
        self.state = seed
        self.projection = self.numbers((projection,))
        self.theta = [self.numbers(s[:2]) for s in shapes]
        self.grads = [[self.numbers(s[:2]) for s in shapes] for _ in range(steps)]
        print("steps", steps, "tensors", len(shapes), "seed", seed, "projection", projection, "report", *report)
        for s in shapes:
            print("tensor", *s)

    def numbers(self, shape):
        out = np.zeros(int(np.prod(shape)))
        for i in range(out.size):
            for _ in range(3):
                self.state = (self.state * 1664525 + 1013904223) % 2**32
                out[i] += (self.state >> 11) - 2**20
        return (out / 2**21).reshape(shape)

    def case(self, name, settings, lr, decay, tolerance, driver, rule, decay_first=True):
        """rule(state, g, t, dimensions) gives the direction, or None for no step and no decay."""
        theta, states = [x.copy() for x in self.theta], [{} for _ in self.theta]
        self.head(name, settings, lr, decay, tolerance, driver)
        for t, grads in enumerate(self.grads, 1):
            for x, s, g, (_, _, d) in zip(theta, states, grads, self.shapes):
                u = rule(s, g, t, d)
                if u is None:
                    continue
                x *= 1 - lr * decay if decay_first else 1
                x -= lr * u
                x *= 1 if decay_first else 1 - lr * decay
            self.show(t, theta)

    def by_torch(self, name, settings, lr, decay, tolerance, make):
        params = [torch.nn.Parameter(torch.tensor(x)) for x in self.theta]
        optimizer = make(params)
        self.head(name, settings, lr, decay, tolerance, "")
        for t, grads in enumerate(self.grads, 1):
            for p, g in zip(params, grads):
                p.grad = torch.tensor(g)
            optimizer.step()
            self.show(t, [p.detach().numpy() for p in params])

    @staticmethod
    def head(name, settings, lr, decay, tolerance, driver):
        print(f"case {name} | {settings} | lr {lr} decay {decay} clip 0 tolerance {tolerance} | {driver}")

    def show(self, t, theta):
        if t in self.report:
            for x in theta:
                print(" ".join(f"{v:.7g}" for v in x.reshape(-1)))


# ---- Muon ----

KELLER = [(3.4445, -4.7750, 2.0315)]
QUINTIC = [(4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037), (2.8769, -3.1427, 1.2046), (2.8366, -3.0525, 1.2012)]
POLAR = [(8.2051, -22.9019, 16.4607), (4.0664, -2.8612, 0.5184), (3.9096, -2.8234, 0.5250), (3.2856, -2.4153, 0.4853), (2.2779, -1.6198, 0.3985),
         (1.8726, -1.2307, 0.3585), (1.8564, -1.2132, 0.3568), (1.8750, -1.2500, 0.3750)]
SCALES = {
    "keller": lambda n, m: max(1, n / m) ** 0.5,
    "rms": lambda n, m: 0.2 * max(n, m) ** 0.5,
    "spectral": lambda n, m: max(n, m) ** 0.5,
    "unit": lambda n, m: (n / m) ** 0.5,
}


def orthogonal(u, triples, eps):
    left, s, right = svd(u, full_matrices=False)
    s = s / (norm(u) + eps)
    for a, b, c in triples:
        s = a * s + b * s**3 + c * s**5
    return (left * s) @ right


def muon(triples=KELLER * 5, scale="keller", nesterov=True, beta=0.95, eps=1e-7, split=None):
    def rule(s, g, t, d):
        s["m"] = beta * s.get("m", 0) + (1 - beta) * g
        u = (1 - beta) * g + beta * s["m"] if nesterov else s["m"]
        parts = np.split(u, np.cumsum(split)[:-1]) if split else [u]
        return np.concatenate([SCALES[scale](*p.shape) * orthogonal(p, triples, eps) for p in parts])
    return rule


def muon_cases():
    torch.Tensor.bfloat16 = lambda self: self.clone()
    p = Problem(5, 1, (5,), [(5, 7, 2), (7, 5, 2), (8, 8, 2), (1, 9, 2), (9, 1, 2), (1, 1, 2)])
    M = torch.optim.Muon
    p.by_torch("muon", "", 0.05, 0.1, 1e-5, lambda q: M(q, lr=0.05, weight_decay=0.1))
    p.by_torch("muon", "nesterov=false momentum=0.8", 0.05, 0, 1e-5, lambda q: M(q, lr=0.05, weight_decay=0, nesterov=False, momentum=0.8))
    p.by_torch("muon", "scale=rms", 0.05, 0.1, 1e-5, lambda q: M(q, lr=0.05, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"))
    p.case("muon", "", 0.05, 0.1, 1e-5, "", muon())
    p.case("muon", "scale=spectral", 0.02, 0, 1e-5, "", muon(scale="spectral"))
    p.case("muon", "scale=unit eps=0.1 steps=3", 0.05, 0, 1e-5, "", muon(KELLER * 3, scale="unit", eps=0.1))
    p.case("muon", "coefficients=quintic", 0.05, 0, 1e-5, "", muon(QUINTIC))
    p.case("muon", "coefficients=quintic steps=7", 0.05, 0, 1e-5, "", muon(QUINTIC + QUINTIC[:2]))
    p.case("muon", "coefficients=polar-express", 0.05, 0, 1e-5, "", muon(POLAR[:5]))
    p.case("muon", "coefficients=polar-express steps=10", 0.05, 0, 1e-5, "", muon(POLAR + POLAR[-1:] * 2))
    p.case("muon", "coefficients=deepseek-v4 steps=5", 0.05, 0, 1e-5, "", muon())
    p.case("muon", "coefficients=deepseek-v4 steps=12", 0.05, 0, 1e-5, "", muon(KELLER * 8 + [(2, -1.5, 0.5)] * 4))
    p = Problem(5, 2, (5,), [(17, 31, 2), (31, 17, 2)])
    p.by_torch("muon", "scale=rms", 0.05, 0.1, 1e-5, lambda q: M(q, lr=0.05, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"))
    p = Problem(5, 3, (5,), [(13, 6, 2), (13, 40, 2)])
    p.case("muon", "split=[4,1,8]", 0.05, 0.1, 1e-5, "", muon(split=[4, 1, 8]))
    half = muon(scale="rms", split=[4, 1, 8])
    p.case("muon", "split=[4,1,8] scale=rms scale_factor=0.5", 0.1, 0, 1e-5, "", lambda s, g, t, d: half(s, g, t, d) / 2)


# ---- Adam with a late eps, and what is built on it ----


def late_adam(s, g, t, betas, eps):
    s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0) + (1 - betas[1]) * g**2
    return (1 - betas[1] ** t) ** 0.5 / (1 - betas[0] ** t) * s["m"] / (s["v"] ** 0.5 + eps)


def soap(betas=(0.95, 0.95), shampoo_beta=None, eps=1e-8, every=10, max_dim=10000):
    beta = betas[1] if shampoo_beta is None else shampoo_beta

    def rule(s, g, t, d):
        if d == 1:
            return late_adam(s, g, t - 1, betas, eps) if t > 1 else None
        if t == 1:
            s["stat"], s["basis"] = [], []
            for axis in (0, 1):
                gram = g @ g.T if axis == 0 else g.T @ g
                s["stat"].append((1 - beta) * gram)
                s["basis"].append(eigh(gram)[1][:, ::-1] if len(gram) <= max_dim else None)
            return None
        left, right = (np.eye(len(gram)) if q is None else q for gram, q in zip(s["stat"], s["basis"]))
        u = left @ late_adam(s, left.T @ g @ right, t - 1, betas, eps) @ right.T
        m = left @ s["m"] @ right.T
        for axis in (0, 1):
            s["stat"][axis] = beta * s["stat"][axis] + (1 - beta) * (g @ g.T if axis == 0 else g.T @ g)
            q = s["basis"][axis]
            if (t - 1) % every or q is None:
                continue
            order = np.argsort(-np.diag(q.T @ s["stat"][axis] @ q), kind="stable")
            s["basis"][axis] = qr(s["stat"][axis] @ q[:, order])[0]
            s["v"] = np.take(s["v"], order, axis)
        left, right = (np.eye(len(gram)) if q is None else q for gram, q in zip(s["stat"], s["basis"]))
        s["m"] = left.T @ m @ right
        return u
    return rule


def soap_cases():
    p = Problem(13, 4, (13,), [(8, 8, 2), (6, 7, 2), (7, 6, 2), (1, 2, 2), (1, 1, 2), (1, 9, 1)])
    for settings, options in [("", {}), ("every=3", dict(every=3)), ("every=1 betas=[0.8,0.9]", dict(every=1, betas=(0.8, 0.9))),
                              ("every=4 shampoo_beta=0.7 eps=1e-3", dict(every=4, shampoo_beta=0.7, eps=1e-3))]:
        p.case("soap", settings, 0.03, 0.1, 1e-4, "", soap(**options), False)
    p = Problem(9, 5, (9,), [(5, 8, 2), (8, 5, 2), (9, 8, 2), (3, 9, 2)])
    p.case("soap", "max_dim=6 every=2", 0.03, 0, 1e-4, "", soap(max_dim=6, every=2), False)
    p = Problem(22, 6, (22,), [(17, 18, 2), (18, 17, 2)])
    p.case("soap", "every=5", 0.01, 0, 1e-4, "", soap(every=5), False)


def power(a, exponent, eps):
    values, vectors = eigh(a)
    return (vectors * (np.maximum(values, 0) + eps) ** exponent) @ vectors.T


def shampoo(betas=(0.9, 1.0), eps=1e-12, every=1, block=1024, graft="none", graft_beta2=0.999, graft_eps=1e-8):
    def one(s, g, t, d):
        s["m"] = betas[0] * s.get("m", 0) + (1 - betas[0]) * g
        m = s["m"] / (1 - betas[0] ** t)
        keep, add, c2 = (1, 1, 1) if betas[1] == 1 else (betas[1], 1 - betas[1], 1 - betas[1] ** t)
        s["l"], s["r"] = keep * s.get("l", 0) + add * g @ g.T, keep * s.get("r", 0) + add * g.T @ g
        a = m
        if graft in ("adagrad", "rmsprop", "adam"):
            keep, add = (1, 1) if graft == "adagrad" else (graft_beta2, 1 - graft_beta2)
            s["v"] = keep * s.get("v", 0) + add * g**2
            a = m / (np.sqrt(s["v"] / (1 - graft_beta2**t if graft == "adam" else 1)) + graft_eps)
        if t < every:
            return a
        if t % every == 0:
            s["roots"] = [np.eye(1) if d == 1 else power(s["l"] / c2, -0.25, eps), power(s["r"] / c2, -0.5 if d == 1 else -0.25, eps)]
        u = s["roots"][0] @ m @ s["roots"][1]
        return u if graft == "none" else u * norm(a) / (norm(u) + 1e-16)

    def rule(s, g, t, d):
        u = np.zeros_like(g)
        for i in range(0, g.shape[0], block):
            for j in range(0, g.shape[1], block):
                at = np.s_[i:i + block, j:j + block]
                u[at] = one(s.setdefault((i, j), {}), g[at], t, d)
        return u
    return rule


def shampoo_cases():
    p = Problem(7, 7, (1, 7), [(5, 7, 2), (7, 5, 2), (8, 8, 2), (1, 9, 2), (1, 1, 2), (1, 9, 1)])
    for settings, options in [("", {}), ("betas=[0,1]", dict(betas=(0, 1))), ("betas=[0.8,0.9] eps=1e-6", dict(betas=(0.8, 0.9), eps=1e-6)),
                              ("every=3", dict(every=3)), ("block=4 graft=sgd", dict(block=4, graft="sgd")),
                              ("graft=adagrad block=3 every=2", dict(graft="adagrad", block=3, every=2)),
                              ("graft=rmsprop graft_beta2=0.9", dict(graft="rmsprop", graft_beta2=0.9)),
                              ("graft=adam every=4 graft_eps=1e-3 betas=[0.9,0.99]", dict(graft="adam", every=4, graft_eps=1e-3, betas=(0.9, 0.99)))]:
        # eps = 1e-12 and roots kept for three steps: weights grow a thousandfold, and the last bits of LAPACK's eigenvalues, which are another
        # on each kind of processor, with them
        tolerance = 1e-3 if settings == "every=3" else 1e-4
        p.case("shampoo", settings, 0.05, 0.1, tolerance, "", shampoo(**options))
    p = Problem(6, 8, (6,), [(17, 31, 2), (31, 17, 2)])
    p.case("shampoo", "graft=adam", 0.05, 0, 1e-4, "", shampoo(graft="adam"))


def galore(rank=128, every=200, scale=0.25, betas=(0.9, 0.999), eps=1e-6):
    def rule(s, g, t, d):
        if d == 1:
            return late_adam(s, g, t, betas, eps)
        left, _, right = svd(g, full_matrices=False)
        if (t - 1) % every == 0:
            vectors = left if g.shape[0] < g.shape[1] else right.T
            s["p"] = vectors[:, :rank] * np.sign([v[np.argmax(abs(v))] for v in vectors.T[:rank]])
        q = s["p"]
        if g.shape[0] < g.shape[1]:
            return scale * q @ late_adam(s, q.T @ g, t, betas, eps)
        return scale * late_adam(s, g @ q, t, betas, eps) @ q.T
    return rule


def galore_cases():
    p = Problem(7, 9, (1, 7), [(5, 7, 2), (7, 5, 2), (8, 8, 2), (1, 9, 2), (1, 1, 2), (1, 9, 1)])
    for settings, options in [("", {}), ("rank=3", dict(rank=3)), ("rank=2 every=3 scale=1", dict(rank=2, every=3, scale=1)),
                              ("rank=4 every=2 betas=[0.8,0.9] eps=1e-2", dict(rank=4, every=2, betas=(0.8, 0.9), eps=1e-2))]:
        p.case("galore", settings, 0.05, 0.1, 1e-5, "", galore(**options), False)
    p = Problem(5, 10, (5,), [(17, 31, 2), (31, 17, 2)])
    p.case("galore", "rank=4", 0.05, 0, 1e-5, "", galore(rank=4), False)


def apollo(projection, rank, scale=1, channel=True, limit=1.01, betas=(0.9, 0.999), eps=1e-6):
    def rule(s, g, t, d):
        if d == 1:
            return late_adam(s, g, t, betas, eps)
        p, wide = projection.reshape(rank, min(g.shape)), g.shape[0] < g.shape[1]
        low = p @ g if wide else g @ p.T
        axis = None if not channel else 0 if wide else 1
        gain = (1 - betas[1] ** t) ** 0.5 / (1 - betas[0] ** t)
        factor = norm(late_adam(s, low, t, betas, eps) / gain, axis=axis, keepdims=True) / (norm(low, axis=axis, keepdims=True) + 1e-8)
        u = factor * g
        if t > 1:
            u = u / max(1, norm(u) / (limit * (s["norm"] + 1e-8)))
        s["norm"] = norm(u)
        return gain * scale**0.5 * u
    return rule


def apollo_cases():
    p = Problem(6, 11, (2, 6), [(8, 13, 2), (13, 8, 2), (8, 8, 2), (1, 9, 1)], projection=24)
    for settings, options in [("", {}), ("limit=1.5 betas=[0.8,0.9] eps=1e-2", dict(limit=1.5, betas=(0.8, 0.9), eps=1e-2)),
                              ("scale=4", dict(scale=4)), ("scope=tensor", dict(channel=False))]:
        p.case("apollo", ("rank=3 " + settings).strip(), 0.05, 0.1, 1e-5, "", apollo(p.projection, 3, **options), False)
    p = Problem(6, 12, (6,), [(8, 13, 2), (13, 8, 2), (8, 8, 2)], projection=8)
    p.case("apollo", "rank=1 scope=tensor scale=128", 0.01, 0, 1e-5, "", apollo(p.projection, 1, scale=128, channel=False), False)
    p = Problem(5, 13, (5,), [(1, 9, 2), (9, 1, 2), (1, 1, 2)], projection=2)
    p.case("apollo", "rank=2", 0.05, 0, 1e-5, "", apollo(p.projection, 2), False)


muon_cases()
soap_cases()
shampoo_cases()
galore_cases()
apollo_cases()
print("end")
