# The committed golden numbers of tests/golden/model.c, made again by this machine's PyTorch. Skipped where it is not installed.
# timeout: 300
python3 -c 'import torch, numpy' 2>/dev/null || { echo "skipped: no PyTorch"; exit 77; }
python3 "$LAMINA_ROOT/tests/golden/generate_model.py" . && python3 "$LAMINA_ROOT/tests/interop/model_pytorch.py" "$LAMINA_ROOT/tests/golden" .
