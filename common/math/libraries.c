/* libraries.c: BLAS and LAPACK in use, and the processor that OpenBLAS believes to be on. */
#include "common/base/libraries.h"
#include "private.h"
#include "product.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef LAMINA_HAVE_LAPACKE
#include <lapacke.h>
#endif

/* What only one make of BLAS has. Weak, so that any CBLAS serves, and so that the make is seen which is loaded: behind Debian's
 * libblas.so.3 stands whichever the machine prefers. Declared here, as cblas.h is the common part. */
#define MAYBE __attribute__((weak))
MAYBE char *openblas_get_corename(void);
MAYBE char *openblas_get_config(void);
MAYBE void openblas_set_num_threads(int);
MAYBE char *bli_info_get_version_str(void);
MAYBE void bli_thread_set_num_threads(long);

void libraries_threads(int n)
{
    if (openblas_set_num_threads != NULL) openblas_set_num_threads(n);
    if (bli_thread_set_num_threads != NULL) bli_thread_set_num_threads(n);
}

static void single_threaded(void) { libraries_threads(1); }
void libraries_single_threaded(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, single_threaded);
}

static char text[160];
static void compose(void)
{
    if (bli_info_get_version_str != NULL) /* first: beside it LAPACK may bring OpenBLAS for itself */
        (void)snprintf(text, sizeof text, "BLIS %s", bli_info_get_version_str());
    else if (openblas_get_config != NULL && openblas_get_corename != NULL) {
        char version[32] = "";
        (void)sscanf(openblas_get_config(), "%*s %31s", version);
        const char *forced = getenv("OPENBLAS_CORETYPE");
        (void)snprintf(text, sizeof text, "OpenBLAS %s, core type %s%s%s", version, openblas_get_corename(),
                       forced != NULL ? ", OPENBLAS_CORETYPE=" : "", forced != NULL ? forced : "");
    } else
        (void)snprintf(text, sizeof text, "of a make that does not tell its version");
}

const char *library_blas(void)
{
#if !defined LAMINA_HAVE_BLAS
    return NULL;
#elif defined LAMINA_HAVE_DNNL && !defined LAMINA_HAVE_LAPACKE
    return "not used: oneDNN multiplies, and LAPACKE is not built in";
#else
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, compose);
    return text;
#endif
}

const char *library_lapacke(void)
{
#ifdef LAMINA_HAVE_LAPACKE
    static _Thread_local char version[32];
    lapack_int major = 0, minor = 0, patch = 0;
    LAPACKE_ilaver(&major, &minor, &patch);
    (void)snprintf(version, sizeof version, "LAPACK %d.%d.%d", (int)major, (int)minor, (int)patch);
    return version;
#else
    return NULL;
#endif
}

const char *math_libraries(void)
{
    const char *blas = library_blas();
    return blas != NULL ? blas : "none (matrix optimizers are left out)";
}

static bool among(const char *name, const char *const list[])
{
    for (int i = 0; list[i] != NULL; i++)
        if (strcasecmp(name, list[i]) == 0) return true;
    return false;
}

/* The core type that uses what the set has and nothing else. */
static const char *core_of(enum isa isa)
{
#if defined(__aarch64__)
    return "ARMV8";
#else
    return isa == ISA_GENERIC ? "Nehalem" : isa == ISA_AVX2 ? "Haswell" : "SkylakeX";
#endif
}

const char *math_openblas_coretype_needed(void)
{
    /* Cores without AVX2 or AVX-512 code: what the library falls back to on a processor younger than itself. */
    static const char *const old[] = { "Prescott",    "Core2",      "Penryn",    "Dunnington", "Atom",      "Nehalem",
                                       "Sandybridge", "Opteron",    "Barcelona", "Bobcat",     "Bulldozer", "Generic",
                                       "Katmai",      "Coppermine", "Northwood", "Banias",     NULL };
    if (openblas_get_corename == NULL) return NULL;
    const char *now = openblas_get_corename(), *isa = getenv("LAMINA_ISA"), *forced = getenv("OPENBLAS_CORETYPE");
    /* LAMINA_ISA makes unlike machines compute the same bits: one core type for each of its words, whatever the library would choose and
     * whatever a site has set. A word that is not usable is refused later, in words. */
    if (isa != NULL && isa[0] != '\0') {
        enum isa asked;
        if (!isa_find(isa, &asked) || !isa_supported(asked)) return NULL;
        const char *core = core_of(asked);
        return strcasecmp(core, now) == 0 || (forced != NULL && strcasecmp(core, forced) == 0) ? NULL : core;
    }
    if (forced != NULL) return NULL; /* somebody decided; the run header shows it */
    if (!among(now, old)) return NULL;
    return isa_supported(ISA_AVX512) ? "SkylakeX" : isa_supported(ISA_AVX2) ? "Haswell" : NULL;
}
