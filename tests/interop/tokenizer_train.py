"""Vocabularies learned by Lamina beside those of the Hugging Face tokenizers library, on text of many scripts.

usage: tokenizer_train.py LAMINA            what it must be: the same merges, a file that the library loads, as many tokens as Lamina said
       tokenizer_train.py LAMINA FILE N     speed: N entries learned from a text file by both, on one core and on all that are there
"""
import json
import os
import random
import resource
import subprocess
import sys
import time

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

PATTERNS = {
    "gpt2": None,
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[a-z]+|[^a-z]": r"[a-z]+|[^a-z]",
}
SCRIPTS = [(0x61, 0x7B), (0x41, 0x5B), (0x30, 0x3A), (0x20, 0x40), (0xA0, 0x180), (0x370, 0x400), (0x400, 0x460), (0x5D0, 0x5EB),
           (0x620, 0x64B), (0x900, 0x980), (0xE01, 0xE3B), (0x1100, 0x1200), (0x3040, 0x3100), (0x4E00, 0x4F00), (0xAC00, 0xAD00),
           (0x1F300, 0x1F650), (0x300, 0x370), (0x2000, 0x2070)]
ODD = ["\r\n", "\n\n", "  ", "\t", "\u00a0", "\u180e", "\u3000", "\u200b", "\u0085", "\x1c", "'s", "'LL", "x = y[i] += 1;\n    ", "...", "👩‍👩‍👧"]


def text(lines):
    """Lines of words from one script each, drawn so that some are frequent; white space and signs between them."""
    draw = random.Random(6)
    words = []
    for low, high in SCRIPTS:
        words.append(["".join(chr(draw.randrange(low, high)) for _ in range(draw.randrange(1, 9))) for _ in range(150)])
    out = []
    for _ in range(lines):
        script = draw.choice(words)
        for _ in range(draw.randrange(1, 12)):
            out.append(script[int(len(script) * draw.random() ** 2)])
            out.append(draw.choice([" "] * 12 + [", ", ". ", "-", ""] + ODD))
        out.append("\n")
    return "".join(out)


def library(pattern, vocab):
    tokenizer = Tokenizer(models.BPE())
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab - 1, min_frequency=2, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())  # the end of a document is the one missing
    return tokenizer, trainer


def lamina(binary, pattern, vocab, path, threads=1):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    command = [binary, "tokenizer", "train", "--json", "--vocab", str(vocab), "--pattern", pattern, "--out", "lamina.json", path]
    return json.loads(subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout)


def encode(binary, path):
    command = [binary, "tokenizer", "encode", "--tokenizer", "lamina.json", "--lines", "--json", path]
    return [json.loads(line) for line in subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()]


def merges_of(tokenizer):
    return [m if isinstance(m, str) else " ".join(m) for m in json.loads(tokenizer.to_str())["model"]["merges"]]


def check(binary):
    all_text = text(6000)
    with open("text.txt", "w", encoding="utf-8", newline="") as f:
        f.write(all_text)
    for name, pattern in PATTERNS.items():
        vocab = 1500
        said = lamina(binary, name, vocab, "text.txt")
        theirs, trainer = library(pattern, vocab)
        theirs.train_from_iterator([all_text], trainer)
        ours = Tokenizer.from_file("lamina.json")
        assert ours.get_vocab_size() == vocab, (name, ours.get_vocab_size())
        assert ours.token_to_id("<|endoftext|>") == vocab - 1
        a, b = merges_of(ours), merges_of(theirs)
        for i, (x, y) in enumerate(zip(a, b)):
            assert x == y, f"{name}: merge {i} is {x!r}, the library's {y!r}"
        assert len(a) == len(b) == vocab - 257, (name, len(a), len(b))
        whole = ours.encode(all_text).ids
        assert len(whole) == said["tokens"], f"{name}: {len(whole)} tokens and not {said['tokens']}"
        assert ours.decode(whole) == all_text, name
        lines = all_text.splitlines(keepends=True)
        for line, x, y in zip(lines, ours.encode_batch(lines), theirs.encode_batch(lines)):
            assert x.tokens == y.tokens, f"{name}: {line!r} gives {x.tokens}, the library's own vocabulary {y.tokens}"
        plain = [line.rstrip("\n") for line in lines if line.endswith("\n")]
        with open("lines.txt", "w", encoding="utf-8", newline="") as f:
            f.writelines(line + "\n" for line in plain if "\n" not in line)
        for line, x, y in zip(plain, encode(binary, "lines.txt"), ours.encode_batch(plain)):
            assert x == y.ids, f"{name}: {line!r} gives {x}, in the library {y.ids}"
        print(f"{name}: {len(a)} merges as the library learns them, {len(lines)} lines, {said['bytes_per_token']:.3f} bytes per token")


def speed(binary, path, vocab):
    size = os.path.getsize(path)
    with open(path, encoding="utf-8", errors="replace", newline="") as f:
        parts = f.read().split("\n")
    for threads in sorted({1, os.cpu_count()}):
        os.environ["RAYON_NUM_THREADS"] = str(threads)
        pid = os.fork()  # the library reads the number of threads once
        if pid == 0:
            tokenizer, trainer = library(None, vocab)
            before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_utime, time.time()
            tokenizer.train_from_iterator((p + "\n" for p in parts), trainer)
            report("tokenizers", threads, time.time() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_utime - before, size)
            os._exit(0)
        os.waitpid(pid, 0)
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.time()
        lamina(binary, "gpt2", vocab, path, threads)
        report("lamina", threads, time.time() - begin, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, size)


def report(who, threads, wall, user, size):
    print(f"{who:10} {threads:2} threads: {wall:6.1f} s ({size / wall / 1e6:5.1f} MB/s), {user:6.1f} s of processor time", flush=True)


if len(sys.argv) > 2:
    speed(sys.argv[1], sys.argv[2], int(sys.argv[3]))
else:
    check(sys.argv[1])
