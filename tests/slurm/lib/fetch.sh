#!/bin/sh
# fetch.sh FOLDER: Slurm and munge out of Debian's packages, unpacked into FOLDER and not installed: that would start daemons. It needs neither
# root nor what is installed already; 3 MB. Fails with 4 where apt cannot fetch them.
set -eu
folder=$1
packages="slurmctld slurmd slurm-client munge"
[ ! -e "$folder/complete" ] || exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { echo "fetch.sh: no apt here" >&2 && exit 4; }
rm -rf "$folder" && mkdir -p "$folder/packages"
cd "$folder/packages"
# what an installation would bring: the packages, and those of their libraries that this machine lacks
# shellcheck disable=SC2086  # a list
missing=$(apt-get install -s --no-install-recommends $packages | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
# shellcheck disable=SC2086
{ [ -n "$missing" ] && apt-get -q download $missing >log 2>&1; } || {
    cat log >&2 2>/dev/null || true
    echo "fetch.sh: these packages cannot be fetched: ${missing:-$packages} (are the package lists there? apt-get update)" >&2
    exit 4
}
for package in *.deb; do dpkg-deb -x "$package" ..; done
cd ..
[ ! -d lib ] || cp -r lib/. usr/lib/ # some libraries still stand there
rm -rf packages lib etc usr/share
: >complete
