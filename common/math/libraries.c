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
int openblas_get_num_threads(void);
void openblas_set_num_threads(int);

void libraries_single_threaded(void)
{
    if (openblas_get_num_threads() != 1) openblas_set_num_threads(1);
}

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

static bool among(const char *name, const char *const list[])
{
    for (int i = 0; list[i] != NULL; i++)
        if (strcasecmp(name, list[i]) == 0) return true;
    return false;
}

const char *math_openblas_coretype_needed(void)
{
    /* Cores without AVX2 or AVX-512 code: what the library falls back to on a processor younger than itself. */
    static const char *const old[] = { "Prescott",    "Core2",      "Penryn",    "Dunnington", "Atom",      "Nehalem",
                                       "Sandybridge", "Opteron",    "Barcelona", "Bobcat",     "Bulldozer", "Generic",
                                       "Katmai",      "Coppermine", "Northwood", "Banias",     NULL };
    if (getenv("OPENBLAS_CORETYPE") != NULL) return NULL; /* somebody decided; the run header shows it */
    const char *now = openblas_get_corename(), *isa = getenv("LAMINA_ISA");
    /* LAMINA_ISA makes unlike machines compute the same bits: one core type for each of its words, whatever the library would choose. */
    if (isa != NULL && isa[0] != '\0') {
        const char *core = strcmp(isa, "generic") == 0 ? "Nehalem" : strcmp(isa, "avx2") == 0 ? "Haswell" : "SkylakeX";
        return strcasecmp(core, now) == 0 ? NULL : core;
    }
    if (!among(now, old)) return NULL;
    return isa_supported(ISA_AVX512) ? "SkylakeX" : isa_supported(ISA_AVX2) ? "Haswell" : NULL;
}
#else
const char *math_libraries(void) { return "none (matrix optimizers are left out)"; }
const char *math_openblas_coretype_needed(void) { return NULL; }
void libraries_single_threaded(void) {}
#endif
