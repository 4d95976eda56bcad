# disk.sh: what will be written, beside what the file systems have. Sourced by ../run.
# shellcheck shell=sh

# place_of PATH: it, or the nearest folder above it that exists.
place_of() {
    place=$1
    while [ ! -e "$place" ]; do place=$(dirname -- "$place"); done
    printf '%s' "$place"
}

# room [MB PATH]...: says what will be written where; ends with 6 where a file system has less. Several paths on one file system add up.
room() {
    room_list=
    while [ $# -ge 2 ]; do
        at=$(place_of "$2")
        # names of file systems and mount points may hold spaces: count from the column in %
        [ "$1" -eq 0 ] || room_list="$room_list$1 $(stat -L -c %d -- "$at") $(df -P -k -- "$at" | awk 'NR == 2 {
            for (i = 1; $i !~ /^[0-9]+%$/ && i < NF; i++) ;
            free = int($(i - 1) / 1024); sub(/^.*[0-9]% +/, ""); print free, $0 }')
"
        shift 2
    done
    [ -n "$room_list" ] || return 0
    printf '%s' "$room_list" | awk '
        { if (!($2 in need)) order[++n] = $2
          need[$2] += $1; have[$2] = $3; device = $2; sub(/^[^ ]+ [^ ]+ [^ ]+ /, ""); name[device] = $0 }
        END {
            for (i = 1; i <= n; i++) {
                d = order[i]
                printf "run: needs %d MB of disk in %s, which has %d MB free\n", need[d], name[d], have[d]
                if (need[d] > have[d]) { short = 1; printf "run: that is %d MB too little: make room there, or use a folder on another disk\n", need[d] - have[d] }
            }
            exit short
        }' >&2 || exit 6
}
