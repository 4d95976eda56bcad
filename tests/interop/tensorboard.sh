# The event files of a run that was killed and gone on with (its steps 5 to 8 were done twice), as TensorBoard's own reader sees them (where it is installed).
python3 -c 'import tensorboard' 2>/dev/null || { echo "tensorboard is not installed: skipped"; exit 77; }
. "$LAMINA_ROOT/tests/e2e/lib/e2e.sh"
make_data
make_config 12
expect 137 env LAMINA_FAULT=save_publish@0:2=kill "$LAMINA" train tiny.yaml run.tensorboard=true
sleep 1.1 # files are told apart by the second
expect 0 "$LAMINA" train tiny.yaml run.tensorboard=true
says err 'going on from step 4 of 12' 1
same "$(ls runs/tiny/tensorboard | grep -c '^events[.]out[.]tfevents[.]')" 2 "event files"
python3 - <<'END'
import json
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

seen = EventAccumulator("runs/tiny/tensorboard", size_guidance={"scalars": 0}).Reload()
lines = [json.loads(line) for line in open("runs/tiny/metrics.jsonl")]
steps = [line for line in lines if line["kind"] == "step"]
evaluations = [line for line in lines if line["kind"] == "evaluation"]

def same(tag, lines, value):
    got = [(event.step, event.value) for event in seen.Scalars(tag)]
    assert len(got) == len(lines), (tag, got, lines)
    for (step, number), line in zip(got, lines):
        assert step == line["step"] and abs(number - value(line)) <= 1e-6 * abs(value(line)), (tag, step, number, line)

assert len(steps) == 12 and evaluations
same("loss", steps, lambda line: line["loss"])
same("bits_per_byte", steps, lambda line: line["bits_per_byte"])
same("grad_norm", steps, lambda line: line["norm"])
same("lr/head", steps, lambda line: line["lr"]["head"])
same("lr/rest", steps, lambda line: line["lr"]["rest"])
same("tokens_per_second", steps, lambda line: line["tokens_per_second"])
same("mfu", steps, lambda line: line["mfu"])
same("memory/peak_bytes", steps, lambda line: line["memory_peak_bytes"])
same("eval/v/loss", evaluations, lambda line: line["loss"])
same("eval/v/bits_per_byte", evaluations, lambda line: line["bits_per_byte"])
END
