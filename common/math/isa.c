/* isa.c: which instructions are used, by our kernels and by oneDNN. Chosen once, before the first kernel runs. */
#include "common/base/str.h"
#include "private.h"
#include "product.h"
#include <ctype.h>
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
static bool limited;    /* the library was told */

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

bool isa_find(const char *word, enum isa *out)
{
    for (enum isa i = ISA_GENERIC; i < ISA_COUNT; i++) {
        if (strcmp(word, isa_name(i)) != 0) continue;
        *out = i;
        return true;
    }
    return false;
}

/* The nearest word whatever the case, with the words that there are. */
static enum status unknown(const char *word)
{
    const char *names[ISA_COUNT];
    char lower[32], list[80] = "";
    size_t n = 0, at = 0;
    for (; word[n] != '\0' && n < sizeof lower - 1; n++) lower[n] = (char)tolower((unsigned char)word[n]);
    lower[n] = '\0';
    for (int i = 0; i < ISA_COUNT; i++) {
        names[i] = sets[i].name;
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i == 0 ? "" : i == ISA_COUNT - 1 ? " or " : ", ", names[i]);
    }
    const char *near = str_nearest(lower, names, ISA_COUNT);
    FAIL(ST_LAUNCH, "LAMINA_ISA=%.60s is not known%s%s%s: use %s, or unset it for this machine's best (%s)", word,
         near != NULL ? " (did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?)" : "", list, isa_name(isa_best()));
}

enum status math_start(const char *isa)
{
    enum isa asked;
    libraries_single_threaded();
    if (isa == NULL || isa[0] == '\0') {
        chosen = (int)isa_best(); /* oneDNN chooses for itself, and DNNL_MAX_CPU_ISA keeps its meaning */
        return ST_OK;
    }
    if (!isa_find(isa, &asked)) return unknown(isa);
    if (!isa_supported(asked))
        FAIL(ST_LAUNCH, "LAMINA_ISA=%s: this machine lacks these instructions; its best is %s (unset LAMINA_ISA to use it)", isa,
             isa_name(isa_best()));
    if (limited && chosen == (int)asked) return ST_OK; /* the library takes a limit once */
    chosen = (int)asked;
    limited = true;
    gemm_backend()->limit(asked);
    return ST_OK;
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

int math_isa_level(void) { return (int)isa_best(); }

/* avx2 rather than the best that all have: its fused kernels are the same on every processor with them, whoever made it. */
const char *math_isa_for(int level) { return isa_name(level >= (int)ISA_AVX2 ? ISA_AVX2 : ISA_GENERIC); }
