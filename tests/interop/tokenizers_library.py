"""Ids of `lamina tokenizer encode` beside those of the tokenizers library, for files of the families that are in use.

usage: tokenizers_library.py LAMINA [TOKENIZER.json ...]   (each given file is compared too)
The files are trained here, with the settings of the families; lines of many scripts are made from their code points, so nothing is read."""
import json
import os
import random
import subprocess
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SCRIPTS = [(0x41, 0x5B), (0x61, 0x7B), (0xC0, 0x250), (0x370, 0x400), (0x400, 0x530), (0x531, 0x588), (0x5D0, 0x5EB), (0x620, 0x6D4),
           (0x900, 0x970), (0x980, 0x9FF), (0xE01, 0xE5C), (0x10A0, 0x1100), (0x1100, 0x1200), (0x1200, 0x1380), (0x1780, 0x17E0),
           (0x1E00, 0x2000), (0x3041, 0x3100), (0x4E00, 0x9FFF), (0xAC00, 0xD7A4), (0xF900, 0xFA00), (0xFB00, 0xFB50), (0xFF00, 0xFFF0),
           (0x10400, 0x10450), (0x12000, 0x12100), (0x1D400, 0x1D500), (0x20000, 0x20400), (0x31350, 0x31400), (0x16D40, 0x16D80)]
MARKS = [0x300, 0x301, 0x308, 0x323, 0x327, 0x5B0, 0x64B, 0x93C, 0x94D, 0xE31, 0x3099, 0x200D, 0xFE0F, 0x1F3FD]
SPACES = [" ", " ", " ", "  ", "   ", "\t", "\u00a0", "\u180e", "\u2003", "\u3000", "\u200b", "\u0085", "\u2028", "\x1c", "\x0b", "\r", "\r\n"]
EMOJI = ["\U0001F600", "\U0001F468\u200D\U0001F469\u200D\U0001F467", "\U0001F1E9\U0001F1EA", "\u2764\ufe0f", "\U0001F44D\U0001F3FD", "\u2603"]
CODE = ["for (int i = 0; i < n; i++) {", "    return x**2 + y[0]", "#include <stdio.h>", "def f(a, b=None):", "SELECT * FROM t WHERE a != 'b';",
        "\t\tif x == 0x1F:", "}\n\n", "// ---- 100% ----", "a->b.c(d)[e]", "https://example.org/a?b=c&d=%20#e", "$HOME/.config", "&amp;<br/>"]
WORDS = "the of and a to in is it's I'll we've they'd don't you're THE'S O'Neill naive language model tokens Hello World ab abc".split()
SPECIAL = ["<|endoftext|>", "<s>", "</s>", "<unk>", "<|im_start|>", "<|mask|>", "KEEP", "<|endoftext"]


def word(r):
    kind = r.random()
    if kind < 0.30:
        return r.choice(WORDS)
    if kind < 0.60:
        low, high = r.choice(SCRIPTS)
        return "".join(chr(r.randrange(low, high)) + (chr(r.choice(MARKS)) if r.random() < 0.1 else "") for _ in range(r.randrange(1, 9)))
    if kind < 0.70:
        return str(r.randrange(10 ** r.randrange(1, 12))) + r.choice(["", ".", "%", "\u0663\u0664", "\u00bd", "\u2167"])
    if kind < 0.78:
        return "".join(chr(r.randrange(0x21, 0x7F)) for _ in range(r.randrange(1, 8)))
    if kind < 0.84:
        return r.choice(CODE)
    if kind < 0.90:
        return r.choice(EMOJI)
    if kind < 0.93:
        return r.choice(SPECIAL)
    if kind < 0.96:
        return bytes(r.randrange(256) for _ in range(r.randrange(1, 6))).decode("utf-8", "replace")
    return chr(r.choice([r.randrange(1, 0xD800), r.randrange(0xE000, 0x110000)]))


def line(r):
    return "".join(word(r) + (r.choice(SPACES) if r.random() < 0.85 else "") for _ in range(r.randrange(1, 14)))


def train(tokenizer, texts, special, vocab=1500, alphabet=(), **more):
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=vocab, special_tokens=special, initial_alphabet=list(alphabet),
                                                             show_progress=False, **more))


def families(texts):
    letters = pre_tokenizers.ByteLevel.alphabet()
    gpt2 = Tokenizer(models.BPE())
    gpt2.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    gpt2.decoder = decoders.ByteLevel()
    gpt2.post_processor = processors.ByteLevel(trim_offsets=False)
    train(gpt2, texts, ["<|endoftext|>"], alphabet=letters)
    yield "gpt2", gpt2

    prefixed = Tokenizer(models.BPE())
    prefixed.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    prefixed.decoder = decoders.ByteLevel()
    train(prefixed, texts, ["<s>", "</s>", "<unk>"], alphabet=letters)
    prefixed.add_special_tokens([AddedToken("<|mask|>", lstrip=True, rstrip=True)])
    prefixed.add_tokens([AddedToken("KEEP", single_word=True), AddedToken("abc", normalized=False), "ab", AddedToken("\u2603 x", rstrip=True)])
    yield "added", prefixed

    for name, pattern in [("llama3", LLAMA3), ("qwen2", QWEN2)]:
        t = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
        if name == "qwen2":
            t.normalizer = normalizers.NFC()
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                                   pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        t.decoder = decoders.ByteLevel()
        end = "<|end_of_text|>" if name == "llama3" else "<|endoftext|>"
        train(t, texts, [end, "<|im_start|>"], alphabet=letters)
        t.post_processor = processors.TemplateProcessing(single=end + " $0", special_tokens=[(end, t.token_to_id(end))])
        yield name, t

    digits = Tokenizer(models.BPE())
    digits.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"[\t ]{2,}"), " ")])
    digits.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                    pre_tokenizers.Split("_", "merged_with_previous"),
                                                    pre_tokenizers.ByteLevel(add_prefix_space=False)])
    digits.decoder = decoders.ByteLevel()
    train(digits, texts, ["<|endoftext|>"], alphabet=letters)
    digits.add_tokens([AddedToken("\uff21\uff22"), AddedToken("Hello World")])  # found in the normalized text
    yield "digits", digits

    fallback = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]
    for name in ["llama2", "mistral"]:
        t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
        learner = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
        learner.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
        learner.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")  # words; the finished file has no pre-tokenizer
        train(learner, texts, fallback, vocab=2000, limit_alphabet=500)
        model = json.loads(learner.to_str())["model"]
        assert len(model["merges"]) > 1000
        if name == "llama2":
            t.normalizer = learner.normalizer
            t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        else:
            t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
            t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
        file = json.loads(t.to_str())
        file["model"] = model
        if name == "mistral":  # both forms of merges are in use
            file["model"]["merges"] = [m if isinstance(m, list) else m.split(" ") for m in model["merges"]]
        t = Tokenizer.from_str(json.dumps(file))
        t.add_special_tokens([AddedToken(x, normalized=False) for x in ["<unk>", "<s>", "</s>"]])
        yield name, t


def lamina(binary, command, path, data, *more):
    done = subprocess.run([binary, "tokenizer", command, "--tokenizer", path, *more], input=data, stdout=subprocess.PIPE, check=True)
    return done.stdout


def compare(binary, name, path, library, texts):
    """Lines one by one; then all of it as one document, which streams or does not."""
    flat = [t.replace("\n", " ") for t in texts]
    ids = [[int(x) for x in row.split()] for row in lamina(binary, "encode", path, "\n".join(flat).encode() + b"\n", "--lines").decode().split("\n")[:-1]]
    assert len(ids) == len(flat), (name, len(ids), len(flat))
    wrong = 0
    for text, ours in zip(flat, ids):
        theirs = library.encode(text, add_special_tokens=False).ids
        if ours != theirs:
            wrong += 1
            if wrong <= 3:
                print(name, repr(text), "\n  ours   ", ours, "\n  library", theirs)
    whole = "\n".join(texts)
    ours = [int(x) for x in lamina(binary, "encode", path, whole.encode()).split()]
    theirs = library.encode(whole, add_special_tokens=False).ids
    back = lamina(binary, "decode", path, " ".join(map(str, theirs)).encode(), "--ends").decode("utf-8", "replace")
    undone = back == library.decode(theirs, skip_special_tokens=False)
    print("%-8s %d lines, %d ids: %d lines differ; one document: %s; decoded: %s" %
          (name, len(flat), sum(map(len, ids)), wrong, "equal" if ours == theirs else "DIFFERS", "equal" if undone else "DIFFERS"))
    return wrong == 0 and ours == theirs and undone


def main():
    binary, given = sys.argv[1], sys.argv[2:]
    r = random.Random(1)
    texts = [line(r) for _ in range(int(os.environ.get("LINES", "10000")))] + CODE + EMOJI + SPECIAL
    good = True
    for name, tokenizer in families([t.replace("\0", "") for t in texts[:3000]]):
        path = name + ".json"
        tokenizer.save(path)
        good &= compare(binary, name, path, Tokenizer.from_file(path), texts)
    for path in given:
        good &= compare(binary, os.path.basename(path), path, Tokenizer.from_file(path), texts)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
