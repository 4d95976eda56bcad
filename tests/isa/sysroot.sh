#!/bin/sh
# sysroot.sh FOLDER: Debian's 64-bit ARM libraries, unpacked into FOLDER (about 600 MB, of which 126 MB are fetched once) for cmake/aarch64.cmake.
# This machine's packages stay as they are: apt works with a configuration, lists and a status of its own; the mirrors are this machine's.
# Exit code 77: it cannot be done here, and why.
set -eu
[ $# -eq 1 ] || { echo "usage: sysroot.sh FOLDER" >&2; exit 2; }
packages="libc6-dev libgomp1 libopenmpi-dev openmpi-bin libhdf5-openmpi-dev libyaml-dev libjansson-dev libxxhash-dev zlib1g-dev libdnnl-dev
    libopenblas-dev liblapacke-dev libpcre2-dev libutf8proc-dev libzstd-dev libbz2-dev liblzma-dev check"
triple=aarch64-linux-gnu

skip() { echo "skipped: $*"; exit 77; }
mkdir -p "$1"
root=$(cd "$1" && pwd)
[ ! -f "$root/complete" ] || [ "$(cat "$root/complete")" != "$packages" ] || exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || skip "no apt here to fetch 64-bit ARM libraries with"

# ---- apt of its own ----
work=$root/apt
rm -rf "$root"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
: >"$work/status"
apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
    awk '$4 == "Debian" || $4 == "Ubuntu" { print "deb", $1, $2, $3 }' | sort -u >"$work/sources.list"
[ -s "$work/sources.list" ] || skip "apt knows no Debian mirror (apt-get update?)"
cat >"$work/apt.conf" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Dir::State "$work";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
END
export APT_CONFIG="$work/apt.conf"
{
    apt-get -q -o Acquire::Retries=2 -o Acquire::http::Timeout=20 update &&
        # shellcheck disable=SC2086  # a list
        apt-get -q -y -o Acquire::Retries=2 --download-only install $packages
} >"$work/log" 2>&1 || skip "the mirrors do not give 64-bit ARM packages: $(grep -m 1 '^[EW]:' "$work/log")"

# ---- unpacked, with the links that installing would make ----
for package in "$work"/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
lib=$root/usr/lib/$triple
for blas in "$lib"/openblas-*; do
    name=$(basename "$blas")
    for file in "$blas"/*.so*; do ln -sf "$name/$(basename "$file")" "$lib/$(basename "$file")"; done
    for file in "$blas"/pkgconfig/*.pc; do ln -sf "../$name/pkgconfig/$(basename "$file")" "$lib/pkgconfig/$(basename "$file" | sed 's/-openblas//')"; done
done
rm -rf "$work/cache" "$work/lists"
printf '%s' "$packages" >"$root/complete"
