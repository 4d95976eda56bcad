/* A rule on a tensor of the user's: the run's driver, with one parameter, one rank and no model around it. */
#include "common/base/check.h"
#include "common/base/parallel.h"
#include "worker/optim/driver.h"
#include "worker/optim/optim.h"
#include "worker/worker.h"

#include <math.h>
#include <string.h>

const struct opt_desc *worker_optimizer(const char *name)
{
    for (int i = 0; opt_table[i] != NULL; i++)
        if (strcmp(opt_table[i]->variant.name, name) == 0) return opt_table[i];
    return NULL;
}

static struct opt_rule rule_of(const struct try_problem *p)
{
    return (struct opt_rule){ worker_optimizer(p->rule->optimizer->name), p->rule->fields, &p->rule->common };
}

static struct param param_of(const struct try_problem *p)
{
    return (struct param){ .name = "theta", .layer = -1, .n_dims = p->n_dims, .rows = p->rows, .cols = p->cols, .owner = -1 };
}

/* ---- may it be tried ---- */

static enum status check_projection(const struct try_problem *p, const struct opt_rule *rule)
{
    const char *name = rule->opt->variant.name;
    if (!(rule->opt->flags & OPT_PROJECTED)) FAIL(ST_DATA, "%s: projection: %s takes none", p->name, name);
    if (p->n_dims < 2) FAIL(ST_DATA, "%s: projection: %s projects matrices alone", p->name, name);
    const struct field *row = rule->opt->variant.fields;
    while (strcmp(row->key, "rank") != 0) row++;
    const int64_t rank = *(const int64_t *)(const void *)((const char *)rule->hyper + row->offset);
    if (p->n_projected != rank)
        FAIL(ST_DATA, "%s: projection: %lld rows, and rank is %lld", p->name, (long long)p->n_projected, (long long)rank);
    return ST_OK;
}

/* State and scratch of the whole matrix; settings may ask for more than any machine has (a block, a rank, a side to rotate). */
static enum status check_memory(const struct try_problem *p, const struct opt_rule *rule, const struct param *param)
{
    enum { MOST_MIB = 4096 };
    size_t bytes = opt_slot_bytes(rule, param);
    if (opt_needs(rule->opt, param, rule->hyper).whole && rule->opt->whole_scratch != NULL)
        bytes += rule->opt->whole_scratch(param, rule->hyper);
    if (bytes >> 20 < MOST_MIB) return ST_OK;
    FAIL(ST_DATA, "%s: with these settings %s needs %zu MiB of memory for this shape; less than %d are tried", p->name,
         rule->opt->variant.name, bytes >> 20, MOST_MIB);
}

static enum status check_problem(const struct try_problem *p)
{
    const struct opt_rule rule = rule_of(p);
    const struct param param = param_of(p);
    const char *name = rule.opt->variant.name, *why = opt_problem(&rule);
    if (why != NULL) FAIL(ST_DATA, "%s: hyper: %s", p->name, why);
    why = rule.opt->refuse != NULL ? rule.opt->refuse(&param, rule.hyper) : NULL;
    if (why != NULL) FAIL(ST_DATA, "%s: shape: %s", p->name, why);
    TRY(check_memory(p, &rule, &param));
    if (p->sampled != NULL && rule.opt->observe == NULL) FAIL(ST_DATA, "%s: sampled: %s observes no second gradient", p->name, name);
    if (p->eval && !opt_has_eval(&rule))
        FAIL(ST_DATA, "%s: report: with these settings %s evaluates the weights that it trains", p->name, name);
    return p->projection != NULL ? check_projection(p, &rule) : ST_OK;
}

/* ---- the plan of a run that has one tensor ---- */

struct lone {
    struct arena arena;
    struct config *config; /* large: most of it is empty */
    struct opt_desc opt;   /* the rule's, but that the problem says when it observes */
    const struct opt_desc *optimizers[1];
    struct param param;
    struct plan plan;
    struct driver *driver;
    float *theta;
    int64_t *sum;
    int exponent;
    uint32_t max_bits;
};

static int64_t every_step(const void *hyper)
{
    (void)hyper;
    return 1;
}

static void describe(const struct try_problem *p, struct lone *w)
{
    const struct opt_rule rule = rule_of(p);
    *w->config = (struct config){ .n_rules = 1, .rules = { *p->rule } };
    w->opt = *rule.opt;
    if (w->opt.observe_every != NULL) w->opt.observe_every = every_step;
    w->optimizers[0] = &w->opt;
    w->param = param_of(p);
    w->param.row_align = opt_row_align(&rule, &w->param);
    if (opt_whole_flops(&rule, &w->param) > 0) w->param.owner = 0;
    w->plan = (struct plan){ .config = w->config,
                             .optimizers = w->optimizers,
                             .ranks = 1,
                             .group = 1,
                             .n_groups = 1,
                             .contributions = 1,
                             .partition = { .n_units = 1, .n_params = 1, .group = 1, .params = &w->param } };
}

static void place(const struct try_problem *p, struct lone *w)
{
    const size_t n = (size_t)(p->rows * p->cols);
    w->theta = arena_place_n(&w->arena, n, sizeof *w->theta);
    w->sum = arena_place_n(&w->arena, n, sizeof *w->sum);
    memcpy(w->theta, p->theta, n * sizeof *w->theta);
    const struct driver_group group = { 0, 1, NULL };
    const struct driver_piece piece = { .row_end = p->rows, .theta = w->theta, .sum = w->sum };
    w->driver = driver_place(&w->arena, &w->arena, &w->plan, parallel_threads(), &group, &piece, 1);
    driver_fresh(w->driver);
}

/* ---- steps ---- */

/* As the reduced gradient of a run: an integer times 2^-F. Nothing is added to it, so the largest may take all 62 bits of a sum. */
static void put_gradient(struct lone *w, const float *g)
{
    enum { SUM_BITS = 62, SPARE_BITS = 8 }; /* exact_exponent leaves room for what is not known yet; here all is known */
    const int64_t n = w->param.rows * w->param.cols;
    w->max_bits = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &g[i], sizeof bits);
        bits &= 0x7fffffffu;
        if (bits > w->max_bits) w->max_bits = bits;
    }
    w->exponent = exact_exponent(w->max_bits, SUM_BITS + SPARE_BITS, EXACT_EXPONENT_FIRST);
    for (int64_t i = 0; i < n; i++) w->sum[i] = llrint(ldexp((double)g[i], w->exponent));
}

static void exchange(struct lone *w, int number)
{
    int64_t *values, n;
    driver_exchange(w->driver, number, &values, &n);
    driver_absorb(w->driver, number);
}

/* As step.c applies one, but that every exchange is with nobody. */
static void step(const struct try_problem *p, struct lone *w, int64_t index)
{
    static const double clip = 1;
    const double factor = p->factor != NULL ? p->factor[index] : 1;
    const struct driver_step now = { .step = index + 1,
                                     .divisor = 1,
                                     .clip = &clip,
                                     .factor = &factor,
                                     .exponent = &w->exponent,
                                     .max_bits = &w->max_bits,
                                     .projection = p->projection };
    if (p->sampled != NULL && p->sampled[index] != NULL) {
        put_gradient(w, p->sampled[index]);
        driver_observe(w->driver, &now);
    }
    put_gradient(w, p->grad[index]);
    driver_begin(w->driver, &now);
    for (int round = 0; round < OPT_ROUNDS; round++) exchange(w, round);
    (void)driver_whole_out(w->driver);
    driver_rest(w->driver);
    driver_whole_direct(w->driver);
    (void)driver_whole_back(w->driver);
    driver_whole_done(w->driver);
    exchange(w, OPT_COUNT_SIGNS);
}

enum status worker_try(const struct try_problem *p, float *after)
{
    struct lone w = { 0 };
    TRY(check_problem(p));
    arena_open_growing(&w.arena, "try");
    w.config = arena_place(&w.arena, sizeof *w.config);
    describe(p, &w);
    place(p, &w);
    for (int64_t i = 0; i < p->n_steps; i++) {
        step(p, &w, i);
        if (p->eval) (void)driver_evaluate(w.driver, true);
        memcpy(after + i * p->rows * p->cols, w.theta, (size_t)(p->rows * p->cols) * sizeof *after);
        if (p->eval) (void)driver_evaluate(w.driver, false);
    }
    arena_close(&w.arena);
    return ST_OK;
}
