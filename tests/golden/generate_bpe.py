"""Writes tests/golden/bpe.txt: ids of small vocabularies by the tokenizers library, for a test without Python.

usage: generate_bpe.py >bpe.txt   (the vocabularies are trained here on text made of a few words)
Blocks of lines: `file N` and N bytes of a tokenizer.json; then `text HEX` and `ids ...` pairs until the next block."""
import json
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

WORDS = "the theme there other mother in on an and 12 2024 it's we'll caf\u00e9 na\u00efve \u0434\u043e\u043c \u4f60\u597d \u4f60 \U0001F600 == != x_1".split()
r = random.Random(3)
CORPUS = [" ".join(r.choice(WORDS) for _ in range(12)) for _ in range(200)]
TEXTS = ["", " ", "the theme", "there  is\n\n other\r\n", "It's WE'LL", "caf\u00e9 cafe\u0301", "\u4f60\u597d\u4f60\u4f60", "2024-12-31 123456",
         "a<|endoftext|>b </s>", "\u00a0x \u180e y\u2003z", "\U0001F600\U0001F468\u200d\U0001F469", "tab\tand\x0b\x1c", "aaaaaaaaaaaaaaaa" * 8,
         "\ufffd\ufffd", "mask  KEEP mask", "\u0434\u043e\u043c\u0430 \u09fe\u0f77", " lead and trail ", "\u2581x \u2581"]


def byte_level(pattern, **model):
    t = Tokenizer(models.BPE(**model))
    split = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    t.pre_tokenizer = pre_tokenizers.Sequence(split + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not pattern)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=330, special_tokens=["<|endoftext|>"], show_progress=False,
                                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t


def all_files():
    yield byte_level("")
    t = byte_level(r"\p{N}{1,3}| ?\p{L}+|\s+(?!\S)|[^\s\p{L}\p{N}]+|\s", ignore_merges=True)
    t.normalizer = normalizers.NFC()
    t.add_tokens([AddedToken("KEEP", single_word=True), AddedToken("mask", lstrip=True, normalized=True)])
    yield t
    t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    t.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=380, show_progress=False,
                                                      special_tokens=["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]))
    file = json.loads(t.to_str())
    file["pre_tokenizer"] = None
    file["added_tokens"] = file["added_tokens"][:3]
    file["decoder"] = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "}, {"type": "ByteFallback"},
                                                       {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    yield Tokenizer.from_str(json.dumps(file))


for tokenizer in all_files():
    data = json.dumps(json.loads(tokenizer.to_str()))
    sys.stdout.write("file %d\n%s\n" % (len(data), data))
    for text in TEXTS:
        sys.stdout.write("text %s\nids %s\n" % (text.encode().hex(), " ".join(map(str, tokenizer.encode(text, add_special_tokens=False).ids))))
