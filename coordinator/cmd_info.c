/* lamina info: what this program is made of and what it finds on this machine. Needs no MPI. */
#include "common/base/check.h"
#include "common/base/libraries.h"
#include "common/base/parallel.h"
#include "common/comm/launcher.h"
#include "common/math/product.h"
#include "coordinator/built.h"
#include "coordinator/environment.h"
#include "coordinator/peak.h"
#include "coordinator/private.h"
#include "coordinator/session.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const struct option_row info_options[] = {
    { .name = "peak", .type = OPTION_FLAG, .help = "measure the matrix peak at length (some seconds), not for 0.1 s" },
    { .name = "launcher",
      .type = OPTION_FLAG,
      .help = "print only the words that start ranks here: $(lamina info --launcher) 2 lamina ..." },
    OPTION_JSON_ROW,
    { 0 },
};

/* Facts in the order in which they are shown: text for both forms, so that they cannot differ. */
enum { FACTS_MAX = 96 };
struct facts {
    struct arena *arena;
    int n;
    struct {
        const char *section, *name, *value, *help; /* section: of the first fact in it, else NULL; value: NULL where nothing is set */
    } fact[FACTS_MAX];
    const char *section; /* for the next one */
};

static void fact(struct facts *f, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
static void fact(struct facts *f, const char *name, const char *format, ...)
{
    char value[1024];
    struct text clean = { 0 };
    va_list args;
    va_start(args, format);
    (void)vsnprintf(value, sizeof value, format, args);
    va_end(args);
    text_add_printable(&clean, value, strlen(value)); /* the environment is anybody's */
    CHECK(f->n < FACTS_MAX);
    f->fact[f->n].section = f->section;
    f->fact[f->n].name = name;
    f->fact[f->n++].value = arena_strdup(f->arena, clean.data != NULL ? clean.data : "");
    f->section = NULL;
    text_free(&clean);
}

static void fact_variable(struct facts *f, const struct environment_row *e)
{
    const char *value = getenv(e->name);
    fact(f, e->name, "%s", value != NULL ? value : "");
    f->fact[f->n - 1].help = e->help;
    if (value == NULL) f->fact[f->n - 1].value = NULL;
}

static void print_text(const struct facts *f)
{
    size_t width = 0;
    for (int i = 0; i < f->n; i++)
        if (strlen(f->fact[i].name) > width) width = strlen(f->fact[i].name);
    for (int i = 0; i < f->n; i++) {
        if (f->fact[i].section != NULL) (void)printf("%s%s\n", i > 0 ? "\n" : "", f->fact[i].section);
        (void)printf("%-*s  %s%s%s\n", (int)width, f->fact[i].name, f->fact[i].value != NULL ? f->fact[i].value : "-",
                     f->fact[i].help != NULL ? "   " : "", f->fact[i].help != NULL ? f->fact[i].help : "");
    }
}

static void print_json(const struct facts *f)
{
    json_t *all = json_object(), *section = NULL;
    for (int i = 0; i < f->n; i++) {
        if (f->fact[i].section != NULL) CHECK(json_object_set_new(all, f->fact[i].section, section = json_object()) == 0);
        CHECK(json_object_set_new(section, f->fact[i].name, f->fact[i].value != NULL ? json_string(f->fact[i].value) : json_null()) == 0);
    }
    char *text = json_dumps(all, JSON_INDENT(2));
    if (text != NULL) (void)printf("%s\n", text);
    free(text);
    json_decref(all);
}

static const char *launcher_line(struct text *out)
{
    const char *word[LAUNCHER_WORDS];
    const int n = comm_launcher(word);
    for (int i = 0; i < n; i++) text_add(out, "%s%s", i > 0 ? " " : "", word[i]);
    return out->data;
}

static void program_facts(struct facts *f)
{
    f->section = "program";
    fact(f, "lamina", "%s", built_version);
    fact(f, "commit", "%s", built_commit[0] != '\0' ? built_commit : "not known: it was not built from a checkout");
    fact(f, "compiler", "%s%s", strstr(__VERSION__, "lang") != NULL ? "" : "gcc ", __VERSION__);
    fact(f, "build", "%s, for %s", built_type, built_target);
    fact(f, "flags", "%s", built_flags);
    struct text launcher = { 0 };
    fact(f, "launcher", "%s", launcher_line(&launcher));
    text_free(&launcher);
}

static void library_facts(struct facts *f)
{
    f->section = "libraries";
#define LIBRARY_FACT(word, name, debian, module, lost)                                                                                     \
    if (library_##word() != NULL)                                                                                                          \
        fact(f, name, "%s", library_##word());                                                                                             \
    else                                                                                                                                   \
        fact(f, name, "not built in: %s (Debian, Ubuntu: %s; modules, Spack: %s)", lost, debian, module);
    LIBRARY_LIST(LIBRARY_FACT)
}

/* The processor's own name, where the system tells one. */
static const char *processor(char *out, size_t size)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];
    (void)snprintf(out, size, "of unknown name");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "model name", strlen("model name")) == 0 && strchr(line, ':') != NULL) {
            (void)snprintf(out, size, "%s", strchr(line, ':') + 2);
            out[strcspn(out, "\n")] = '\0';
            break;
        }
    if (f != NULL) (void)fclose(f);
    return out;
}

static void machine_facts(struct facts *f, const struct session *s)
{
    char host[256] = "", memory[32], free_now[32], name[128];
    const double page = (double)sysconf(_SC_PAGESIZE);
    struct utsname system = { 0 };
    f->section = "machine";
    (void)gethostname(host, sizeof host - 1);
    (void)uname(&system);
    fact(f, "host", "%s", host);
    fact(f, "system", "%s %s, %s", system.sysname, system.release, system.machine);
    fact(f, "processor", "%s", processor(name, sizeof name));
    fact(f, "cores", "%d allowed of %d", s->cores.allowed, parallel_cores_node());
    fact(f, "threads", "%d", s->threads);
    fact(f, "memory", "%s, %s of it unused", str_bytes(memory, sizeof memory, (double)sysconf(_SC_PHYS_PAGES) * page),
         str_bytes(free_now, sizeof free_now, (double)sysconf(_SC_AVPHYS_PAGES) * page));
    fact(f, "instruction set", "%s (%s)", math_isa(), math_isa_choices());
    fact(f, "fp32 products", "%s", product_describe(DT_F32));
    fact(f, "bf16 products", "%s%s", product_describe(DT_BF16), product_bf16_native() ? "" : " (no hardware: auto chooses fp32)");
}

static void peak_facts(struct facts *f, bool at_length)
{
    const double fp32 = at_length ? product_peak(DT_F32) : peak_quick(DT_F32) / 1e9;
    const double bf16 = at_length ? product_peak(DT_BF16) : peak_quick(DT_BF16) / 1e9;
    fact(f, "fp32 peak", "%.0f GFLOP/s%s", fp32, at_length ? "" : " (in 0.1 s; --peak measures at length)");
    if (bf16 > 0)
        fact(f, "bf16 peak", "%.0f GFLOP/s", bf16);
    else
        fact(f, "bf16 peak", "the library has no bf16 products here");
}

static void environment_facts(struct facts *f)
{
    f->section = "environment variables understood";
    for (const struct environment_row *e = environment_table; e->name != NULL; e++) fact_variable(f, e);
}

static enum status print_launcher(void)
{
    struct text line = { 0 };
    (void)printf("%s\n", launcher_line(&line));
    text_free(&line);
    return ST_OK;
}

static enum status info_run(const struct options *options)
{
    struct session s;
    if (option_flag(options, "launcher")) return print_launcher();
    session_open(&s);
    struct facts f = { .arena = &s.arena };
    const enum status result = session_machine(&s);
    if (result == ST_OK) {
        program_facts(&f);
        library_facts(&f);
        machine_facts(&f, &s);
        peak_facts(&f, option_flag(options, "peak"));
        environment_facts(&f);
        if (option_flag(options, "json"))
            print_json(&f);
        else
            print_text(&f);
    }
    session_close(&s);
    return result;
}

const struct command command_info = {
    .name = "info",
    .group = "machine",
    .summary = "Show versions, libraries, instruction set, measured peak, memory, environment",
    .rules = { .rows = info_options, .least = 0, .most = 0, .usage = "[options]" },
    .example = "lamina info --peak",
    .local = info_run,
};
