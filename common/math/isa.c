/* isa.c: which instructions are used, by our kernels and by oneDNN. Chosen once, before the first kernel runs. */
#include "private.h"
#include "product.h"
#include <stdio.h>
#include <string.h>

/* name in LAMINA_ISA and in the run header; what it needs of the processor (and of the system: the builtin asks both) */
#if defined(__x86_64__)
static bool has_generic(void) { return true; }
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
static bool has_bf16(void) { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
static bool has_amx(void) { return has_bf16() && __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16"); }
#else
static bool has_generic(void) { return true; }
static bool has_none(void) { return false; }
#define has_avx2   has_none
#define has_avx512 has_none
#define has_bf16   has_none
#define has_amx    has_none
#endif

static const struct {
    const char *name;
    bool (*supported)(void);
} sets[ISA_COUNT] = {
    [ISA_GENERIC] = { "generic", has_generic },      [ISA_AVX2] = { "avx2", has_avx2 }, [ISA_AVX512] = { "avx512", has_avx512 },
    [ISA_AVX512_BF16] = { "avx512_bf16", has_bf16 }, [ISA_AMX] = { "amx", has_amx },
};

static int chosen = -1; /* process-wide like the processor itself; written before any thread exists */

bool isa_supported(enum isa isa) { return sets[isa].supported(); }
const char *isa_name(enum isa isa) { return sets[isa].name; }

static enum isa isa_best(void)
{
    enum isa best = ISA_GENERIC;
    for (enum isa i = ISA_GENERIC; i < ISA_COUNT; i++)
        if (isa_supported(i)) best = i;
    return best;
}

enum isa isa_current(void) { return chosen < 0 ? isa_best() : (enum isa)chosen; }

const char *math_isa(void) { return isa_name(isa_current()); }

enum status math_start(const char *isa)
{
    libraries_single_threaded();
    if (isa == NULL || isa[0] == '\0') {
        chosen = (int)isa_best(); /* oneDNN chooses for itself, and DNNL_MAX_CPU_ISA keeps its meaning */
        return ST_OK;
    }
    for (enum isa i = ISA_GENERIC; i < ISA_COUNT; i++) {
        if (strcmp(isa, isa_name(i)) != 0) continue;
        if (!isa_supported(i))
            FAIL(ST_LAUNCH, "LAMINA_ISA=%s: this machine lacks these instructions; its best is %s (unset LAMINA_ISA to use it)", isa,
                 isa_name(isa_best()));
        chosen = (int)i;
        gemm_backend()->limit(i);
        return ST_OK;
    }
    FAIL(ST_LAUNCH, "LAMINA_ISA=%s is not known: use generic, avx2, avx512, avx512_bf16 or amx, or unset it for this machine's best (%s)",
         isa, isa_name(isa_best()));
}

static void add_choices(char *out, size_t size, const char *head, bool here)
{
    size_t n = strlen(out);
    for (enum isa i = ISA_GENERIC; i < ISA_COUNT; i++) {
        if (isa_supported(i) != here) continue;
        n += (size_t)snprintf(out + n, size - n, "%s%s", head, isa_name(i));
        head = ", ";
    }
}

const char *math_isa_choices(void)
{
    static _Thread_local char text[160];
    text[0] = '\0';
    add_choices(text, sizeof text, "here: ", true);
    add_choices(text, sizeof text, "; not here: ", false);
    return text;
}
