/* libraries.c: BLAS and LAPACK in use, and the processor that OpenBLAS believes to be on. */
#include "private.h"
#include "product.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef LAMINA_HAVE_OPENBLAS
char *openblas_get_corename(void); /* declared here: cblas.h is not always OpenBLAS's */
char *openblas_get_config(void);

static char text[160];
static void compose(void)
{
    char version[64] = "OpenBLAS";
    (void)sscanf(openblas_get_config(), "%15[^ ] %31[^ ]", version, version + 16);
    const char *forced = getenv("OPENBLAS_CORETYPE");
    (void)snprintf(text, sizeof text, "OpenBLAS %s, core type %s%s%s", version + 16, openblas_get_corename(),
                   forced != NULL ? ", OPENBLAS_CORETYPE=" : "", forced != NULL ? forced : "");
}
const char *math_libraries(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, compose);
    return text;
}

const char *math_openblas_coretype_needed(void)
{
    /* Cores without AVX2 or AVX-512 code: what the library falls back to on a processor younger than itself. */
    static const char *const old[] = { "Prescott",  "Core2",  "Penryn",    "Dunnington", "Atom",   "Nehalem",    "Sandybridge", "Opteron",
                                       "Barcelona", "Bobcat", "Bulldozer", "Generic",    "Katmai", "Coppermine", "Northwood",   "Banias" };
    if (getenv("OPENBLAS_CORETYPE") != NULL) return NULL; /* somebody decided; the run header shows it */
    const char *now = openblas_get_corename();
    bool outdated = false;
    for (size_t i = 0; i < sizeof old / sizeof *old; i++) outdated = outdated || strcasecmp(now, old[i]) == 0;
    if (!outdated) return NULL;
    return isa_supported(ISA_AVX512) ? "SkylakeX" : isa_supported(ISA_AVX2) ? "Haswell" : NULL;
}
#else
const char *math_libraries(void) { return "none (matrix optimizers are left out)"; }
const char *math_openblas_coretype_needed(void) { return NULL; }
#endif
