/* cross.c: do the values fit each other? A value that is wrong by itself stands as zero and is passed over here. */
#define LAMINA_CONFIG_INSIDE
#include "common/config/private.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* run.name becomes a folder, so it must not lead out of run.folder. */
static void check_run_name(struct binder *b)
{
    const char *name = b->config->run.name;
    size_t n = 0;
    while (isalnum((unsigned char)name[n]) || (name[n] != '\0' && strchr("._-", name[n]) != NULL)) n++;
    if (name[0] == '\0' || (name[n] == '\0' && n < CONFIG_NAME_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)) return;
    complain(b->problems, node_near(b->root, "run.name"),
             "'%.80s' cannot name a run folder: use 1 to %d letters, digits, '.', '_' and '-', and neither '.' nor '..'", name,
             CONFIG_NAME_MAX - 1);
}

static void check_heads(struct binder *b)
{
    const struct model_config *m = &b->config->model;
    if (m->heads > 0 && m->width > 0 && m->width % m->heads != 0)
        complain(b->problems, node_near(b->root, "model.heads"), "heads (%" PRId64 ") must divide width (%" PRId64 ")", m->heads, m->width);
    if (m->heads > 0 && m->kv_heads > 0 && m->heads % m->kv_heads != 0)
        complain(b->problems, node_near(b->root, "model.kv_heads"), "kv_heads (%" PRId64 ") must divide heads (%" PRId64 ")", m->kv_heads,
                 m->heads);
}

static void check_batch(struct binder *b)
{
    const struct batch_config *batch = &b->config->batch;
    if (batch->micro > 0 && batch->sequences > 0 && batch->sequences % batch->micro != 0)
        complain(b->problems, node_near(b->root, "batch.micro"), "micro (%" PRId64 ") must divide sequences (%" PRId64 ")", batch->micro,
                 batch->sequences);
}

static void check_group(struct binder *b)
{
    if (b->config->parallel.group == GROUP_NODE)
        complain(b->problems, node_near(b->root, "parallel.group"),
                 "group 'node' is not supported yet; give world, or the number of ranks on a node");
}

/* Epochs stand in every row of data.train or in none, and then nothing else says how much is read of a source. */
static void check_epochs(struct binder *b)
{
    const struct data_config *d = &b->config->data;
    char path[NODE_PATH_MAX];
    int with = 0;
    for (int i = 0; i < d->n_train; i++) with += d->train[i].epochs > 0;
    for (int i = 0; i < d->n_train && with > 0; i++) {
        snprintf(path, sizeof path, "data.train.%.*s%s", CONFIG_NAME_MAX, d->train[i].name, d->train[i].epochs > 0 ? ".weight" : "");
        const struct node *at = node_near(b->root, path);
        if (d->train[i].epochs <= 0)
            complain(b->problems, at, "epochs must be given here too, or in no row of data.train");
        else if (d->train[i].weight != 1) /* the resolved file says 1 beside epochs */
            complain(b->problems, at, "epochs is given too, and each says how much is read: give one of them");
    }
    if (with > 0 && d->weights == WEIGHTS_DOCUMENTS)
        complain(b->problems, node_near(b->root, "data.weights"), "the rows of data.train have epochs, which are shares of nothing");
}

/* Without validation data nothing can be evaluated: by default that is then off, but it is not switched off against a wish. */
static void check_eval(struct binder *b)
{
    struct config *config = b->config;
    const struct node *valid = node_get(node_get(b->root, "data"), "valid"), *every = node_get(node_get(b->root, "eval"), "every");
    if (config->data.n_valid > 0 || (valid != NULL && valid->n_children > 0) || config->eval.every == 0) return;
    if (every != NULL) complain(b->problems, every, "there is no data.valid to evaluate on; give it, or write every: never");
    config->eval.every = 0;
}

/* The shares of a schedule are pieces of the run that follow each other. */
static void check_schedule(struct binder *b, const struct schedule_config *schedule)
{
    const int64_t steps = b->config->run.steps;
    struct text names = { 0 };
    int64_t sum = 0; /* each at most 1e15: the sum of a few cannot overflow */
    int n = 0;
    for (const struct field *row = schedule->type->fields; row != NULL && row->key != NULL; row++) {
        if (row->type != FIELD_SHARE) continue;
        sum += share_steps(*(const struct share *)((const char *)schedule->fields + row->offset), steps);
        text_add(&names, "%s%s", n++ == 0 ? "" : " + ", row->key);
    }
    char path[NODE_PATH_MAX] = "optimizer.schedules.";
    strncat(path, schedule->name, sizeof path - strlen(path) - 1);
    if (steps > 0 && sum > steps)
        complain_key(b->problems, node_near(b->root, path), "%s is %" PRId64 " steps, more than run.steps (%" PRId64 ")", names.data, sum,
                     steps);
    text_free(&names);
}

void cross_check(struct binder *b)
{
    check_run_name(b);
    check_heads(b);
    check_batch(b);
    check_group(b);
    check_epochs(b);
    check_eval(b);
    for (int i = 0; i < b->config->n_schedules; i++)
        if (b->config->schedules[i].type != NULL) check_schedule(b, &b->config->schedules[i]);
}
