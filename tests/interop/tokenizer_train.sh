#!/bin/sh
# What tokenizer train learns and writes, beside the tokenizers library (where it is installed).
python3 -c 'import tokenizers' 2>/dev/null || { echo "the Python package tokenizers is not installed: skipped"; exit 77; }
exec python3 "$LAMINA_ROOT/tests/interop/tokenizer_train.py" "$LAMINA"
