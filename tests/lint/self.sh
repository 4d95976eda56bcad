#!/bin/sh
# self.sh: the lint on small trees. What is right must pass; each breach must be refused, in the words expected.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0
cases=0

# put PATH < TEXT: a tree with this one file
put() {
    rm -rf "$tree/common" "$tree/worker" "$tree/coordinator" "$tree/tests"
    mkdir -p "$tree/$(dirname "$1")"
    cat >"$tree/$1"
    cases=$((cases + 1))
}

accept() { # PATH < TEXT
    put "$1"
    if ! said=$(sh "$here/lint.sh" "$tree" 2>&1); then
        printf 'refused without reason: %s\n%s\n' "$1" "$said"
        failed=1
    fi
}

refuse() { # PATH WORDS < TEXT
    put "$1"
    if said=$(sh "$here/lint.sh" "$tree" 2>&1); then
        printf 'not refused: %s (%s)\n' "$1" "$2"
        failed=1
    elif ! printf '%s\n' "$said" | grep -qF "$2"; then
        printf 'refused, but not for "%s":\n%s\n' "$2" "$said"
        failed=1
    fi
}

# ---- includes ----
accept common/plan/x.c <<'END'
#include "common/base/status.h"
#include "near.h"
#include <stdio.h>
END
refuse common/base/x.c 'common/base may not include common/comm/comm.h' <<'END'
#include "common/comm/comm.h"
END
refuse coordinator/x.c 'coordinator may not include worker/optim/driver.h' <<'END'
#include "worker/optim/driver.h"
END
accept coordinator/x.c <<'END'
#include "worker/worker.h"
END
refuse worker/train/x.c 'private to its folder' <<'END'
#include "common/config/private.h"
END
accept coordinator/sinks/x.c <<'END'
#include "coordinator/private.h"
END
refuse worker/train/x.c 'not by ..' <<'END'
#include "../optim/driver.h"
END
refuse common/extras/x.c 'the folder common/extras has no row' <<'END'
int x;
END
refuse worker/train/x.c '<mpi.h> may not be included in worker/train' <<'END'
#include <mpi.h>
END
refuse common/data/x.c '<hdf5.h> may not be included in common/data' <<'END'
#  include <hdf5.h>
END
refuse common/base/x.c '<curl/curl.h> has no row' <<'END'
#include <curl/curl.h>
END
accept common/base/x.c <<'END'
/* #include <mpi.h> */
END

# ---- flags ----
refuse common/base/CMakeLists.txt 'CMakeLists.txt:1:target_compile_options(lamina_base PRIVATE -march=native)   <- not a flag of this house' <<'END'
target_compile_options(lamina_base PRIVATE -march=native)
END
refuse worker/x.cmake 'not a flag of this house' <<'END'
set(CMAKE_C_FLAGS "-O3 -ffast-math")
END
accept common/math/CMakeLists.txt <<'END'
lamina_vec_variant(avx2 -mavx2 -mfma -mtune=generic -ffp-contract=off)
END

# ---- calls ----
refuse worker/ops/x.c 'x.c:2: strcpy() is not used here' <<'END'
void f(char *a, const char *b);
void f(char *a, const char *b) { strcpy(a, b); }
END
refuse common/base/x.c 'rand() is not used here' <<'END'
int f(void) { return 3 + rand(); }
END
refuse worker/train/x.c 'exit() ends the process' <<'END'
void f(void) { if (1) exit(3); }
END
refuse common/store/x.c 'abort() ends the process' <<'END'
void f(void) { abort (); }
END
refuse worker/ops/x.c 'expf() of libm' <<'END'
float f(float x) { return expf(x); }
END
refuse worker/ops/x.c 'threads are opened in common/base/parallel.c only' <<'END'
#pragma omp parallel for
END
accept coordinator/main.c <<'END'
int main(void) { exit(0); }
END
accept coordinator/child.c <<'END'
void child(void) { _exit(127); }
END
accept common/math/x.c <<'END'
/* strcpy(a, b) and
   abort() in words */ // exit(1)
const char *f(struct s *s) { s->exit(0); my_exit(0); return "sprintf(\"x\") /* " "rand()"; }
double g(double x) { return exp(x) + 'a' + '"' + log('\''); }
END

# ---- tables ----
refuse worker/optim/x.c 'opt_lost is in no table' <<'END'
const struct opt_desc opt_kept = { .name = "kept" };
const struct opt_desc opt_lost = { .name = "lost" };
const struct opt_desc *const opt_table[] = { &opt_kept, NULL };
const struct opt_desc *other(void) { return &opt_lost; }
END
accept coordinator/x.c <<'END'
const struct command command_one = { .name = "one" };
const struct command command_two = { .name = "two" };
const struct command *const command_table[] = {
    &command_one,
    &command_two, NULL,
};
END

# ---- collectivity ----
refuse common/comm/x.h 'gather takes a communicator first' <<'END'
struct comm;
/* Gathers. */
int gather(const struct comm *world, int n);
END
refuse common/comm/x.h 'gather takes a communicator first' <<'END'
struct comm;
/* Gathers. Collective: yes. */

int gather(struct comm *world,
           int n);
END
refuse common/comm/x.h 'size is said to be collective' <<'END'
/* The size. Collective: yes. */
int size(int n);
END
accept common/comm/x.h <<'END'
struct comm;
int comm_rank(const struct comm *comm);
struct request { void (*done)(struct comm *comm); };
/* Begins.
 * Collective: yes, equal n. */
int begin(const struct comm *world, int n);
int finish(const struct comm *world); /* served by the same words */
void forget(struct request *r);
int open(struct comm **out);
int single(struct comm *comm); /* Collective: yes */
/* Local. */
static inline int twice(int n)
{
    return 2 * n;
}
END

# ---- the rest ----
refuse common/base/x.h 'does not compile alone' <<'END'
size_t f(void);
END
accept common/base/x.h <<'END'
#ifndef LAMINA_BASE
#error "common/base/x.h is for common/base"
#endif
END
refuse common/base/x.c 'a path of one machine' <<'END'
const char *path = "/home/someone/data";
END
awk 'BEGIN { for (i = 0; i < 1001; i++) print "extern int x;" }' >"$tree/long"
refuse common/base/x.c 'more than 1000 lines' <"$tree/long"

[ "$failed" -eq 0 ] && echo "lint: all $cases trees were judged rightly"
exit "$failed"
