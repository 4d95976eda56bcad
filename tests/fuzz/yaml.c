/* A configuration, its overrides and its rules, damaged by bytes, lines, words and values: it is refused with every place inside the text,
 * or it is read, and then what is written of it reads back to the same; in bounded processor time. */
#include "common/base/clock.h"
#include "common/config/config.h"
#include "common/config/rules.h"
#include "tests/support/fuzz.h"
#include "worker/worker.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
enum { ANSWER_S = 10 };
#else
enum { ANSWER_S = 1 }; /* processor seconds in which any text must be answered */
#endif
enum { ROOM = 1 << 16, LINES = 256, OVERRIDES = 6 };

static const char *const good[] = {
    "run:       {name: quickstart, seed: 1, steps: 650}\n"
    "model:     {family: llama, width: 192, layers: 4, heads: 6, kv_heads: 3, mlp: 512, context: 256, tie: false}\n"
    "tokenizer: bytes   # or a file\n"
    "data:      {train: [{name: a, path: data/a.h5, weight: 1}, {name: b, path: b.h5}], valid: [{name: a, path: data/v.h5}]}\n"
    "batch:     {sequences: 16, micro: 4}\n"
    "precision: {compute: auto}\n"
    "parallel:  {shard: full, group: world, window: 1, reduce: exact}\n"
    "optimizer:\n"
    "  clip: 1.0\n"
    "  schedules: {main: {type: wsd, warmup: 5%, decay: 30%, floor: 0}, flat: {type: constant}}\n"
    "  defaults: {optimizer: adamw, lr: 4e-3, betas: [0.9, 0.95], weight_decay: 0.1, schedule: main}\n"
    "  rules:\n"
    "    - {name: gains,  match: {role: [norm, bias]}, weight_decay: 0}\n"
    "    - {name: head,   match: {role: head}, optimizer: adalayer, granularity: row, lr: 4e-3}\n"
    "    - {name: hidden, match: {role: [\"attn.*\", \"mlp.*\"], layers: \"0-2\"}, optimizer: muon, lr: 4e-4, state: {dtype: q8}}\n"
    "    - {name: rest,   match: all, lr_mult: 2}\n"
    "  freeze: [{match: {glob: 'blocks.0.*'}, until_step: 5}]\n"
    "checkpoint: {every: 200, keep: 3}\n"
    "eval:       {every: 100, batches: 20}\n",
    "run:\n"
    "  name: block_style\n"
    "  steps: 10\n"
    "model:\n"
    "  family: gpt2\n"
    "  width: 64\n"
    "  layers: 2\n"
    "  heads: 4\n"
    "  context: 32\n"
    "tokenizer: \"bytes\"\n"
    "data:\n"
    "  train:\n"
    "    - name: t\n"
    "      path: t.h5\n"
    "      epochs: 2\n"
    "batch:\n"
    "  sequences: 4\n"
    "  micro: 2\n"
    "optimizer:\n"
    "  defaults:\n"
    "    optimizer: sgd\n"
    "    lr: 0.1\n"
    "    momentum:\n"
    "      beta: 0.9\n"
    "      form: ema\n",
};
static const char *const hostile[] = {
    "012",
    "0x10",
    "1_000",
    "1:30",
    "-1",
    "1e999",
    ".nan",
    ".inf",
    "~",
    "null",
    "yes",
    "99999999999999999999",
    "",
    "[]",
    "{}",
    "[[[[",
    "{{{{",
    "&a 1",
    "*a",
    "!!int 1",
    "<<: *a",
    "? a",
    "|\n  x",
    "> x",
    "'",
    "\"",
    "\"\\0\"",
    "\"\\e[31m\"",
    "\"\\u202e\"",
    "../x",
    "all",
    "none",
    "50%",
    "101%",
    "1e-320",
    "9223372036854775807",
    "-0",
    "world",
    "end",
    "muon",
    "\xff",
    "\xef\xbb\xbf",
    "\xe2\x80\xa8",
    "\r",
    "\t",
    "---\n",
    "%YAML 1.1\n",
    "# ",
    ": ",
    ", ",
    "- ",
    "name: ",
    "lr: ",
    "match: {role: x}",
    "{dtype: q8, block: 1}",
    "[1, 2, 3]",
    "\x1b[31m",
    NULL,
};
static const char *const overrides[] = { "run.steps=5",
                                         "run.name=other",
                                         "optimizer.rules.head.lr=1e-3",
                                         "optimizer.rules.rest.match={role: norm}",
                                         "optimizer.schedules.main.decay=10%",
                                         "data.train.a.weight=3",
                                         "model={family: gpt2, width: 8, layers: 1, heads: 1, context: 4}",
                                         "optimizer.freeze=[{match: all}]" };

static const char *pick_hostile(struct fuzz *f)
{
    size_t n = 0;
    while (hostile[n] != NULL) n++;
    return hostile[fuzz_below(f, n)];
}

/* ---- damage that knows lines and values ---- */

static size_t replace(unsigned char *bytes, size_t n, size_t begin, size_t end, const char *with, size_t length)
{
    if (n - (end - begin) + length > ROOM) return n;
    memmove(bytes + begin + length, bytes + end, n - end);
    memcpy(bytes + begin, with, length);
    return n - (end - begin) + length;
}

/* The value behind some colon becomes another one. */
static size_t exchange_value(struct fuzz *f, unsigned char *bytes, size_t n)
{
    size_t at = n > 0 ? fuzz_below(f, n) : 0;
    while (at + 1 < n && !(bytes[at] == ':' && bytes[at + 1] == ' ')) at++;
    if (at + 2 >= n) return n;
    size_t end = at + 2;
    while (end < n && memchr(",}]\n", bytes[end], 4) == NULL) end++;
    const char *with = pick_hostile(f);
    return replace(bytes, n, at + 2, end, with, strlen(with));
}

static size_t line_starts(const unsigned char *bytes, size_t n, size_t starts[LINES + 1])
{
    size_t count = 0;
    starts[count++] = 0;
    for (size_t i = 0; i < n && count < LINES; i++)
        if (bytes[i] == '\n') starts[count++] = i + 1;
    starts[count] = n;
    return count;
}

/* A line is taken out, doubled, moved, or indented by a space more or less. */
static size_t disturb_line(struct fuzz *f, unsigned char *bytes, size_t n)
{
    static char line[ROOM];
    size_t starts[LINES + 1];
    const size_t count = line_starts(bytes, n, starts), which = fuzz_below(f, count), begin = starts[which],
                 length = starts[which + 1] - begin;
    memcpy(line, bytes + begin, length);
    switch (fuzz_below(f, 5)) {
    case 0: return replace(bytes, n, begin, begin + length, "", 0);
    case 1: return replace(bytes, n, begin, begin, line, length);
    case 2:
        n = replace(bytes, n, begin, begin + length, "", 0);
        const size_t to = starts[fuzz_below(f, line_starts(bytes, n, starts))];
        return replace(bytes, n, to, to, line, length);
    case 3: return replace(bytes, n, begin, begin, fuzz_below(f, 4) == 0 ? "\t" : " ", 1);
    default: return length > 0 && bytes[begin] == ' ' ? replace(bytes, n, begin, begin + 1, "", 0) : n;
    }
}

static size_t damage(struct fuzz *f, unsigned char *bytes, size_t n)
{
    for (uint64_t i = fuzz_below(f, 4); i > 0; i--) n = fuzz_below(f, 2) == 0 ? exchange_value(f, bytes, n) : disturb_line(f, bytes, n);
    return fuzz_below(f, 2) == 0 ? fuzz_damage(f, bytes, n, ROOM, hostile) : n;
}

/* ---- what must hold ---- */

struct round {
    struct fuzz *f;
    struct arena arena;
    unsigned char text[ROOM];
    size_t n;
    char override_text[OVERRIDES][512];
    const char *override[OVERRIDES];
    int n_overrides;
};

/* Characters of a line of the text, its end not counted; -1 when there is no such line. */
static int64_t line_characters(const struct round *r, long line)
{
    size_t begin = 0;
    for (; line > 1; line--) {
        const unsigned char *end = memchr(r->text + begin, '\n', r->n - begin);
        if (end == NULL) return -1;
        begin = (size_t)(end - r->text) + 1;
    }
    const unsigned char *end = memchr(r->text + begin, '\n', r->n - begin);
    return str_characters((const char *)r->text + begin, end != NULL ? (size_t)(end - r->text) - begin : r->n - begin);
}

/* "t.yaml:LINE:COLUMN: ", both inside the text or just behind its end. */
static bool is_inside(const struct round *r, const char *place)
{
    char *end = NULL;
    const long line = strtol(place, &end, 10);
    if (*end != ':') return false;
    const long column = strtol(end + 1, &end, 10);
    return strncmp(end, ": ", 2) == 0 && line >= 1 && column >= 1 && column <= line_characters(r, line) + 1;
}

static bool is_told_line(const struct round *r, const char *line)
{
    static const char file[] = "t.yaml:", words[] = "command line: ", more[] = "... and ";
    if (strchr(line, '\n') == NULL) return false;
    if (strncmp(line, file, sizeof file - 1) == 0) return is_inside(r, line + sizeof file - 1);
    return strncmp(line, "  ", 2) == 0 || (r->n_overrides > 0 && strncmp(line, words, sizeof words - 1) == 0) ||
           strncmp(line, more, sizeof more - 1) == 0;
}

/* Every line is a place with a sentence, or what belongs below one; and a terminal obeys none of it. */
static void check_told(const struct round *r, const struct text *told)
{
    bool fine = true;
    for (size_t i = 0; i < told->length; i++)
        fine &= told->data[i] == '\n' || ((unsigned char)told->data[i] >= 0x20 && told->data[i] != 0x7F);
    for (const char *line = told->data; fine && *line != '\0'; line = strchr(line, '\n') + 1) fine = is_told_line(r, line);
    if (!fine) (void)printf("%s\nis told of\n%.*s\n", told->data, (int)r->n, (const char *)r->text);
    FUZZ_CHECK(r->f, fine);
}

/* What was read is written and read to the same. */
static void check_again(struct round *r, const struct config *config)
{
    const struct config_tables *const tables = worker_tables();
    struct fuzz *f = r->f;
    struct text written = { 0 }, twice = { 0 }, told = { 0 };
    struct config *again = NULL;
    config_write(config, tables, &written);
    if (config_parse("again", written.data, written.length, NULL, 0, tables, &r->arena, &again, &told) != ST_OK)
        (void)printf("%s\nis told of\n%s\nwhich was written of\n%.*s\n", told.data, written.data, (int)r->n, (const char *)r->text);
    FUZZ_CHECK(f, again != NULL);
    config_write(again, tables, &twice);
    FUZZ_CHECK(f, strcmp(written.data, twice.data) == 0);
    FUZZ_CHECK(f, digest_equal(config_digest(config, tables), config_digest(again, tables)));
    FUZZ_CHECK(f, config_compare(config, again, tables, NULL, 0, &told) == 0);
    text_free(&written);
    text_free(&twice);
    text_free(&told);
}

static void check_rules(const struct round *r, const struct config *config)
{
    static const struct rule_subject model[] = { { "embedding.token.weight", "embedding", -1 },
                                                 { "blocks.0.attn.q.weight", "attn.q", 0 },
                                                 { "blocks.0.norm.gain", "norm", 0 },
                                                 { "blocks.1.mlp.in.weight", "mlp.in", 1 },
                                                 { "head.weight", "head", -1 } };
    enum { N = sizeof model / sizeof model[0] };
    int rule_of[N];
    int64_t frozen[N];
    struct text told = { 0 };
    const enum status s = rules_assign(config, model, N, rule_of, frozen, &told);
    FUZZ_CHECK(r->f, s == ST_OK ? told.length == 0 : s == ST_CONFIG && told.length > 0);
    for (int i = 0; s == ST_OK && i < N; i++) FUZZ_CHECK(r->f, rule_of[i] >= 0 && rule_of[i] < config->n_rules);
    if (s != ST_OK) check_told(r, &told);
    text_free(&told);
}

static void read_run(struct round *r)
{
    struct config *config = NULL;
    struct text told = { 0 };
    const double begin = clock_thread_seconds();
    const enum status s =
        config_parse("t.yaml", (const char *)r->text, r->n, r->override, r->n_overrides, worker_tables(), &r->arena, &config, &told);
    FUZZ_CHECK(r->f, clock_thread_seconds() - begin < ANSWER_S);
    FUZZ_CHECK(r->f, s == ST_OK ? told.length == 0 : s == ST_CONFIG && told.length > 0);
    if (s == ST_OK) {
        check_again(r, config);
        check_rules(r, config);
    } else {
        check_told(r, &told);
    }
    text_free(&told);
}

/* The settings of one rule by themselves, as a problem file of `optim try` gives them. */
static void read_rule(struct round *r)
{
    static const char flow[] = "{\"lr\": 1e-3, \"weight_decay\": 0.1, \"state\": {\"dtype\": \"q8\"}, \"betas\": [0.9, 0.99]}";
    const struct variant *const *optimizers = worker_tables()->optimizers;
    struct rule_config rule;
    struct text told = { 0 };
    size_t n = 0;
    while (optimizers[n] != NULL) n++;
    memcpy(r->text, flow, sizeof flow - 1);
    r->n = damage(r->f, r->text, sizeof flow - 1);
    const enum status s =
        config_parse_rule("t.yaml", (const char *)r->text, r->n, optimizers[fuzz_below(r->f, n)], worker_tables(), &r->arena, &rule, &told);
    FUZZ_CHECK(r->f, s == ST_OK ? told.length == 0 : s == ST_CONFIG && told.length > 0);
    if (s != ST_OK) check_told(r, &told);
    text_free(&told);
}

static void draw_overrides(struct round *r)
{
    enum { SPARE = 1 };
    r->n_overrides = fuzz_below(r->f, 2) == 0 ? 0 : (int)fuzz_below(r->f, OVERRIDES + 1);
    for (int i = 0; i < r->n_overrides; i++) {
        const char *text = overrides[fuzz_below(r->f, sizeof overrides / sizeof overrides[0])];
        unsigned char *to = (unsigned char *)r->override_text[i];
        memcpy(to, text, strlen(text));
        to[fuzz_damage(r->f, to, strlen(text), sizeof r->override_text[i] - SPARE, hostile)] = '\0';
        r->override[i] = r->override_text[i];
    }
}

static void one(struct fuzz *f)
{
    static struct round r;
    r.f = f;
    r.n_overrides = 0;
    arena_open_growing(&r.arena, "fuzz");
    if (fuzz_below(f, 8) == 0) {
        read_rule(&r);
    } else {
        const char *text = good[fuzz_below(f, sizeof good / sizeof good[0])];
        memcpy(r.text, text, strlen(text));
        r.n = damage(f, r.text, strlen(text));
        draw_overrides(&r);
        read_run(&r);
    }
    arena_close(&r.arena);
}

int main(int argc, char **argv) { return fuzz_main(argc, argv, "yaml", one); }
