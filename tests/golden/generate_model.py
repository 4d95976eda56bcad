#!/usr/bin/env python3
"""Golden numbers of small models, by PyTorch in fp32: losses, logits, every gradient, the losses of 20 AdamW steps.

    generate_model.py [FOLDER]      writes model_NAME.txt for each model below (default: beside this file)

The models are written here from the papers' formulas, with torch's own kernels and autograd; weights and ids come from an integer hash
that tests/support/model_step.c computes as well, so no weights are committed. tests/golden/model.c reads the files."""
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

MODELS = {
    "gpt2": dict(family="gpt2", width=45, layers=2, heads=5, kv_heads=5, mlp=123, context=23, tie=1, qkv_bias=0, qk_norm=0),
    "llama": dict(family="llama", width=60, layers=2, heads=6, kv_heads=2, mlp=91, context=19, tie=0, qkv_bias=1, qk_norm=1),
    "llama_tied": dict(family="llama", width=42, layers=3, heads=3, kv_heads=1, mlp=77, context=19, tie=1, qkv_bias=0, qk_norm=0),
}
SEPARATE = {  # several documents in a window: positions begin anew with each, and none sees another
    "gpt2_separate": dict(family="gpt2", width=20, layers=1, heads=2, kv_heads=2, mlp=33, context=23, tie=1, qkv_bias=0, qk_norm=0),
    "llama_separate": dict(family="llama", width=24, layers=2, heads=4, kv_heads=2, mlp=37, context=19, tie=0, qkv_bias=0, qk_norm=0),
}
DOCUMENTS = [[7, 12], [1, 2, 5, 11], [4, 4, 3, 1, 7]]  # lengths, by window
VOCAB, BATCH, TIME, EPS, ROPE_BASE = 67, 3, 19, 1e-5, 1e4
STEPS, LR, BETAS, ADAM_EPS, DECAY = 20, 3e-3, (0.9, 0.95), 1e-8, 0.1
SAMPLES, FEW_SAMPLES = 160, 40  # values kept of a tensor, beside its largest, norm and sum; of models with separate documents


def uniform(name, count):
    """In [-1/2, 1/2), a function of (name, index): FNV-1a of the name, then a 32-bit finalizer."""
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF
    x = (seed + np.arange(count, dtype=np.uint64) * 0x9E3779B9) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x21F0AAAD) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x735A2D97) & 0xFFFFFFFF
    return ((x ^ (x >> 15)) >> 8).astype(np.float64) / 16777216.0 - 0.5


def batch(name):
    n = BATCH * TIME
    tokens = np.floor((uniform(name, n) + 0.5) * VOCAB).astype(np.int64)
    targets = np.floor((uniform("targets." + name, n) + 0.5) * VOCAB).astype(np.int64)
    targets[np.arange(n) % 11 == 5] = -1
    return torch.tensor(tokens).reshape(BATCH, TIME), torch.tensor(targets).reshape(BATCH, TIME)


def starts(separate):
    """The place in its window where the document of each token begins."""
    lengths = DOCUMENTS if separate else [[TIME]] * BATCH
    return torch.tensor(np.array([np.repeat(np.cumsum([0] + n[:-1]), n) for n in lengths]))


class Model:
    def __init__(self, m, separate):
        self.m, self.p, self.starts = m, {}, starts(separate)
        self.positions = torch.arange(TIME) - self.starts
        gpt2, c, kv = m["family"] == "gpt2", m["width"], m["width"] // m["heads"] * m["kv_heads"]
        self.add("embedding.token.weight", VOCAB, c)
        if gpt2:
            self.add("embedding.position.weight", m["context"], c)
        for i in range(m["layers"]):
            b = f"blocks.{i}."
            for norm in ("norm1", "norm2"):
                self.add(b + norm + ".weight", c, gain=True)
                if gpt2:
                    self.add(b + norm + ".bias", c)
            for name, rows in (("q", c), ("k", kv), ("v", kv)):
                self.add(f"{b}attn.{name}.weight", rows, c)
                if gpt2 or m["qkv_bias"]:
                    self.add(f"{b}attn.{name}.bias", rows)
            if m["qk_norm"]:
                self.add(b + "attn.q_norm.weight", c // m["heads"], gain=True)
                self.add(b + "attn.k_norm.weight", c // m["heads"], gain=True)
            for name, shape in (("attn.o", (c, c)), ("mlp.in", (m["mlp"], c)), ("mlp.out", (c, m["mlp"]))):
                self.add(b + name + ".weight", *shape)
                if gpt2:
                    self.add(b + name + ".bias", shape[0])
            if not gpt2:
                self.add(b + "mlp.gate.weight", m["mlp"], c)
        self.add("head.norm.weight", c, gain=True)
        if gpt2:
            self.add("head.norm.bias", c)
        if not m["tie"]:
            self.add("head.weight", VOCAB, c)

    def add(self, name, *shape, gain=False):
        values = 0.5 * uniform(name, int(np.prod(shape))) + (1 if gain else 0)
        self.p[name] = torch.tensor(values.astype(np.float32)).reshape(shape).requires_grad_()

    def norm(self, x, name):
        w = self.p[name + ".weight"]
        if self.m["family"] == "gpt2":
            return F.layer_norm(x, w.shape, w, self.p[name + ".bias"], EPS)
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * w

    def linear(self, x, name):
        return F.linear(x, self.p[name + ".weight"], self.p.get(name + ".bias"))

    def rotate(self, x):
        d = x.shape[-1]
        frequency = ROPE_BASE ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
        angle = self.positions[:, None, :, None].double() * frequency
        angle = torch.cat((angle, angle), -1)
        half = torch.cat((-x[..., d // 2 :], x[..., : d // 2]), -1)
        return x * angle.cos().float() + half * angle.sin().float()

    def attention(self, x, b):
        h, kv = self.m["heads"], self.m["kv_heads"]
        q, k, v = (
            self.linear(x, f"{b}attn.{name}").reshape(BATCH, TIME, n, -1).transpose(1, 2) for name, n in (("q", h), ("k", kv), ("v", kv))
        )
        if self.m["qk_norm"]:
            q, k = (
                y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + EPS) * self.p[f"{b}attn.{name}_norm.weight"]
                for y, name in ((q, "q"), (k, "k"))
            )
        if self.m["family"] == "llama":
            q, k = self.rotate(q), self.rotate(k)
        k, v = (y.repeat_interleave(h // kv, 1) for y in (k, v))
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        other = self.starts[:, None, :, None] != self.starts[:, None, None, :]
        scores = scores.masked_fill(torch.ones(TIME, TIME).triu(1).bool() | other, float("-inf"))
        return self.linear((scores.softmax(-1) @ v).transpose(1, 2).reshape(BATCH, TIME, -1), b + "attn.o")

    def mlp(self, x, b):
        if self.m["family"] == "gpt2":
            return self.linear(F.gelu(self.linear(x, b + "mlp.in"), approximate="tanh"), b + "mlp.out")
        return self.linear(F.silu(self.linear(x, b + "mlp.gate")) * self.linear(x, b + "mlp.in"), b + "mlp.out")

    def logits(self, tokens):
        x = F.embedding(tokens, self.p["embedding.token.weight"])
        if self.m["family"] == "gpt2":
            x = x + F.embedding(self.positions, self.p["embedding.position.weight"])
        for i in range(self.m["layers"]):
            b = f"blocks.{i}."
            x = x + self.attention(self.norm(x, b + "norm1"), b)
            x = x + self.mlp(self.norm(x, b + "norm2"), b)
        head = self.p["embedding.token.weight" if self.m["tie"] else "head.weight"]
        return F.linear(self.norm(x, "head.norm"), head)


def losses(logits, targets):
    return F.cross_entropy(logits.reshape(-1, VOCAB), targets.reshape(-1), ignore_index=-1, reduction="none")


def write_tensor(out, name, values, samples):
    values = values.detach().double().reshape(-1).numpy()
    stride = -(-len(values) // samples) | 1
    out.write(f"tensor {name} {len(values)} {stride} {abs(values).max():.9g} {np.sqrt((values**2).sum()):.9g} {values.sum():.9g}\n")
    out.write(" ".join(f"{v:.9g}" for v in values[::stride]) + "\n")


def train(m, separate):
    model = Model(m, separate)
    optimizer = torch.optim.AdamW(model.p.values(), lr=LR, betas=BETAS, eps=ADAM_EPS, weight_decay=DECAY, foreach=False)
    means = []
    for step in range(1, STEPS + 1):
        tokens, targets = batch(f"step.{step}")
        mean = losses(model.logits(tokens), targets).sum() / (targets >= 0).sum()
        optimizer.zero_grad()
        mean.backward()
        optimizer.step()
        means.append(mean.item())
    return torch.tensor(means, dtype=torch.float64)


def write_model(folder, name, m, separate):
    model, samples = Model(m, separate), FEW_SAMPLES if separate else SAMPLES
    tokens, targets = batch("golden")
    logits = model.logits(tokens)
    nll = losses(logits, targets)
    nll.sum().backward()
    with open(os.path.join(folder, f"model_{name}.txt"), "w") as out:
        out.write("# written by tests/golden/generate_model.py; tensor NAME COUNT STRIDE LARGEST NORM SUM, then every STRIDE-th value\n")
        out.write("model " + " ".join(str(v) for v in m.values()) + f" {VOCAB} {BATCH} {TIME} {EPS} {ROPE_BASE}\n")
        out.write(f"adamw {STEPS} {LR} {BETAS[0]} {BETAS[1]} {ADAM_EPS} {DECAY}\n")
        if separate:
            out.write("starts " + " ".join(str(s) for s in model.starts.reshape(-1).tolist()) + "\n")
        write_tensor(out, "losses", nll, BATCH * TIME)
        write_tensor(out, "logits", logits[:, -1], samples)
        write_tensor(out, "steps", train(m, separate), STEPS)
        for parameter, value in model.p.items():
            write_tensor(out, parameter, value.grad, samples)


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for name, m in (MODELS | SEPARATE).items():
        write_model(folder, name, m, name in SEPARATE)
