/* lamina info: what this program is made of and what it finds on this machine. Needs no MPI. */
#include "common/base/parallel.h"
#include "common/data/packed.h"
#include "common/math/product.h"
#include "coordinator/environment.h"
#include "coordinator/metrics_file.h"
#include "coordinator/private.h"
#include "coordinator/session.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct option_row info_options[] = {
    { .name = "peak", .type = OPTION_FLAG, .help = "measure the matrix peak of this machine (some seconds)" },
    OPTION_JSON_ROW,
    { 0 },
};

/* Facts in the order in which they are shown: text for both forms, so that they cannot differ. */
struct facts {
    bool json;
    json_t *object;
};

static void fact(struct facts *f, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
static void fact(struct facts *f, const char *name, const char *format, ...)
{
    char value[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (f->json)
        (void)json_object_set_new(f->object, name, json_string(value));
    else
        (void)printf("%-18s %s\n", name, value);
}

static const struct {
    const char *name;
    bool present;
    const char *lost;
} optional_libraries[] = {
#ifdef LAMINA_HAVE_DNNL
    { "oneDNN", true, "" },
#else
    { "oneDNN", false, "dense products go to CBLAS, one thread per call" },
#endif
#ifdef LAMINA_HAVE_LAPACKE
    { "OpenBLAS + LAPACKE", true, "" },
#else
    { "OpenBLAS + LAPACKE", false, "matrix optimizers are left out" },
#endif
#ifdef LAMINA_HAVE_PCRE2
    { "PCRE2", true, "" },
#else
    { "PCRE2", false, "--document-start and most tokenizer.json files are refused" },
#endif
#ifdef LAMINA_HAVE_UTF8PROC
    { "utf8proc", true, "" },
#else
    { "utf8proc", false, "tokenizer.json files that normalize Unicode are refused" },
#endif
};

static void library_facts(struct facts *f)
{
    fact(f, "lamina", "%s, compiled by %s", LAMINA_VERSION, __VERSION__);
    fact(f, "mpi", "%s", comm_library());
    fact(f, "hdf5", "%s", LAMINA_HDF5_VERSION);
    fact(f, "jansson", "%s", jansson_version_str());
    fact(f, "linear algebra", "%s", math_libraries());
    for (size_t i = 0; i < sizeof optional_libraries / sizeof optional_libraries[0]; i++)
        fact(f, optional_libraries[i].name, "%s%s",
             optional_libraries[i].present ? "built in" : "not built in: ", optional_libraries[i].lost);
    for (const struct packed_desc *const *row = packed_table; *row != NULL; row++)
        if ((*row)->lacking != NULL)
            fact(f, (*row)->name, "not built in: data build refuses %s", (*row)->endings[0]);
        else if ((*row)->begins != NULL)
            fact(f, (*row)->name, "built in");
}

static void machine_facts(struct facts *f, const struct session *s)
{
    char host[256] = "", memory[32];
    (void)gethostname(host, sizeof host - 1);
    fact(f, "host", "%s", host);
    fact(f, "cores", "%d allowed of %d", s->cores.allowed, parallel_cores_node());
    fact(f, "threads", "%d", s->threads);
    fact(f, "memory", "%s", str_bytes(memory, sizeof memory, (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE)));
    fact(f, "instruction set", "%s", math_isa());
    fact(f, "fp32 products", "%s", product_describe(DT_F32));
    fact(f, "bf16 products", "%s%s", product_describe(DT_BF16), product_bf16_native() ? "" : " (no hardware: auto chooses fp32)");
}

static void peak_facts(struct facts *f)
{
    fact(f, "fp32 peak", "%.0f GFLOP/s", product_peak(DT_F32));
    const double bf16 = product_peak(DT_BF16);
    if (bf16 > 0)
        fact(f, "bf16 peak", "%.0f GFLOP/s", bf16);
    else
        fact(f, "bf16 peak", "the library has no bf16 products here");
}

static void environment_facts(struct facts *f)
{
    if (!f->json) (void)printf("\nenvironment variables understood\n");
    for (const struct environment_row *e = environment_table; e->name != NULL; e++) {
        const char *value = getenv(e->name);
        if (f->json)
            fact(f, e->name, "%s", value != NULL ? value : "");
        else
            (void)printf("  %-22s %s%s%s\n", e->name, value != NULL ? value : "-", "   ", e->help);
    }
}

static enum status info_run(const struct options *options)
{
    struct session s;
    struct facts f = { option_flag(options, "json"), json_object() };
    session_open(&s);
    const enum status result = session_machine(&s);
    if (result == ST_OK) {
        library_facts(&f);
        machine_facts(&f, &s);
        if (option_flag(options, "peak")) peak_facts(&f);
        environment_facts(&f);
    }
    if (result == ST_OK && f.json) {
        char *text = json_dumps(f.object, JSON_INDENT(2));
        if (text != NULL) (void)printf("%s\n", text);
        free(text);
    }
    json_decref(f.object);
    session_close(&s);
    return result;
}

const struct command command_info = {
    .name = "info",
    .group = "machine",
    .summary = "Show versions, libraries, instruction set, memory, environment; measure the peak",
    .rules = { .rows = info_options, .least = 0, .most = 0, .usage = "[options]" },
    .example = "lamina info --peak",
    .local = info_run,
};
