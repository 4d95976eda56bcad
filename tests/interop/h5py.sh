#!/bin/sh
# A checkpoint and a token file as a stranger reads them: h5py and numpy, by FORMAT.md alone (where they are installed).
python3 -c 'import h5py, numpy' 2>/dev/null || { echo "h5py or numpy is not installed: skipped"; exit 77; }
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 8
expect 0 ranks 3 "$LAMINA" train tiny.yaml
expect 0 ranks 2 "$LAMINA" export tiny --out tiny.safetensors
python3 - <<'END'
import h5py, json, numpy

with h5py.File("t.h5") as f:
    tokens, starts = f["tokens"][:], f["document_starts"][:]
    assert f.attrs["end_of_document"] == 256 and f.attrs["bad_utf8"] == 0 and f.attrs["duplicate_documents"] == len(starts) - len(
        {tokens[a:b].tobytes() for a, b in zip(starts, [*starts[1:], len(tokens)])})
    assert f.attrs["longest_tokens"] == max(numpy.diff([*starts, len(tokens)])) - 1
text = open("text.txt", "rb").read()
assert tokens.max() == 256 and starts[0] == 0 and (numpy.diff(starts) > 0).all()
first = bytes(tokens[: starts[1] - 1].astype(numpy.uint8))      # the document without its end mark
assert tokens[starts[1] - 1] == 256 and first in text, first

folder = "runs/tiny/ckpt/step-00000008/"
manifest = json.load(open(folder + "manifest.json"))
assert manifest["step"] == 8
with h5py.File(folder + "state.h5") as f:
    assert f.attrs["step"] == 8 and f.attrs["tokens"] == 8 * 14 * 32
    weights, state = f["weights"], f["state"]
    assert weights["head.weight"].shape == (257, 32) and weights["head.weight"].dtype == numpy.float32
    assert weights["blocks.1.norm2.weight"].shape == (32,)
    assert state["blocks.0.attn.k.weight.m"].shape == weights["blocks.0.attn.k.weight"].shape == (16, 32)
    assert state["head.weight.v"].shape == (257, 1)          # one second moment per row
    for name, d in weights.items():
        assert numpy.isfinite(d[...]).all() and d[...].any(), name
    assert bytes(f["config"][:]).decode().startswith("run:")

    exported = open("tiny.safetensors", "rb").read()         # the same weights for programs that read safetensors
    end = 8 + int.from_bytes(exported[:8], "little")
    header = json.loads(exported[8:end])
    assert header.pop("__metadata__") == {"format": "pt", "family": "llama", "step": "8"}
    assert set(header) == set(weights)
    for name, t in header.items():
        begin, stop = (end + offset for offset in t["data_offsets"])
        values = numpy.frombuffer(exported[begin:stop], dtype="<f4").reshape(t["shape"])
        assert t["dtype"] == "F32" and (values == weights[name][...]).all(), name
END
