#!/bin/sh
# baseline.sh BUILD: the program runs on every x86-64-v2 processor: in the objects of this build folder no instruction is younger, but for
# functions that are chosen at run time (their names end in avx2) and the SIMD objects, which show nothing but their table to the linker.
set -eu
build=$1
command -v objdump >/dev/null && command -v nm >/dev/null || { echo "skipped: no objdump here (package binutils)"; exit 77; }
objects=$(find "$build/common" "$build/worker" "$build/coordinator" -name '*.o' | sort)
[ -n "$objects" ] || { echo "$build: no objects; was it built?"; exit 1; }
# shellcheck disable=SC2086  # our names have no spaces
simd=$(printf '%s\n' $objects | grep -E '/lamina_vec_avx(2|512)\.dir/') || { echo "skipped: not a build for x86-64"; exit 77; }
failed=0

# young OBJECT...: a line per function that has an instruction of AVX, AVX2, AVX-512, F16C, FMA (all begin with v or, masks, with k), BMI, MOVBE
# or ADX; lzcnt alone of its family: tzcnt is bsf to older processors, and the compiler relies on that.
young() {
    objdump -d --no-show-raw-insn "$@" | awk '
        /file format/ { file = $1; sub(/:$/, "", file) }
        /^[0-9a-f]+ <.*>:$/ { name = $2; told = 0 }
        /^ / { m = $2
            if (!told && (m ~ /^v/ && m !~ /^ver[rw]$/ || m ~ /^k(mov|and|andn|or|xor|xnor|not|add|ortest|test|shift[lr]|unpck)[a-z]*$/ ||
                m ~ /^(andn|bextr|bls[ir]|blsmsk|lzcnt|mulx|pdep|pext|bzhi|sarx|shlx|shrx|rorx|adcx|adox|movbe)[lqw]?$/))
            { told = 1; print file " " name " " m } }'
}

# shellcheck disable=SC2046,SC2086
found=$(young $(printf '%s\n' $objects | grep -vE '/lamina_vec_avx(2|512)\.dir/') | grep -vE '[._]avx2(\.(cold|part|constprop|isra)[.0-9a-z]*)?>' || true)
if [ -n "$found" ]; then
    printf '%s\n' "$found" | sed 's/$/   <- younger than x86-64-v2/'
    failed=1
fi
# shellcheck disable=SC2086
exported=$(nm -g --defined-only $simd | awk 'NF == 3 && $3 !~ /^vec_table_/ { print $3 }')
if [ -n "$exported" ]; then # the linker would take it for everybody's
    printf '%s: exported from an object for younger processors\n' $exported
    failed=1
fi
# what is looked for is seen where it must be
for object in $simd; do
    [ "$(young "$object" | wc -l)" -gt 5 ] || { echo "$object: no young instruction seen: this check sees nothing"; failed=1; }
done
exit "$failed"
