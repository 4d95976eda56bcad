# label: full
# timeout: 1800
# Every fault point on every rank of 3, failing and killed, and a few that hang: all ranks end soon and with one code, and the run goes on as
# if nothing had been. A point that is never reached fails here: its run ends with 0.
. "$LAMINA_ROOT/tests/fault/lib/sweep.sh"
start_sweep

for point in $(points); do
    for rank in 0 1 2; do
        case " $(visitors "$point") " in
        *" $rank "*)
            fails "$point" $rank
            dies "$point" $rank
            ;;
        *)
            disturb 0 "$point@$rank=fail"
            same "$(digest_of out)" "$whole" "digest of a run that does not pass $point on rank $rank"
            ;;
        esac
    done
done
for rank in 0 1 2; do hangs step_local $rank; done
hangs save_write 1
hangs save_publish 0
hangs load_read 2
