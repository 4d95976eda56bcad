#include "account.h"
#include "common/base/check.h"
#include "common/comm/agree.h"
#include "coordinator/journal.h"
#include "coordinator/memory.h"
#include <jansson.h>
#include <stdio.h>

enum { ARENAS = 5, ROWS = ARENAS + COMM_PHASES, CELL = 32 };
static const char *const arena_names[ARENAS] = { "arena run", "arena step", "arena pass", "arena scratch", "arena data" };

/* One row per thing that is planned. As maxima over ranks: planned, measured, largest difference. */
struct account {
    int64_t planned[ROWS], measured[ROWS], apart[ROWS];
    int64_t resident, planned_total;
    int64_t gathered_most;
};

static enum status collect(const struct session *s, const struct worker *w, int rank, int64_t baseline, bool clean_step, struct account *a)
{
    struct worker_memory m;
    struct worker_counters c;
    struct traffic t;
    worker_measure(&s->plan, WORKER_TRAIN, rank, s->threads, &m);
    worker_counters(w, &c);
    worker_traffic(&s->plan, rank, worker_step_done(w), &t);
    const size_t planned[ARENAS] = { m.run, m.step, m.pass, m.scratch, m.data };
    const size_t measured[ARENAS] = { c.run, c.step, c.pass, c.scratch, c.data };
    for (int i = 0; i < ARENAS; i++) a->planned[i] = (int64_t)planned[i], a->measured[i] = (int64_t)measured[i];
    for (int p = 0; p < COMM_PHASES; p++) {
        a->planned[ARENAS + p] = t.bytes[p];
        a->measured[ARENAS + p] = clean_step ? c.bytes[p] : t.bytes[p];
    }
    for (int i = 0; i < ROWS; i++)
        a->apart[i] = a->measured[i] > a->planned[i] ? a->measured[i] - a->planned[i] : a->planned[i] - a->measured[i];
    a->resident = memory_use().peak - baseline;
    a->planned_total = (int64_t)m.total;
    a->gathered_most = c.gathered_most;
    return ST_OK;
}

static void print_row(const char *name, int64_t planned, int64_t measured, int64_t apart)
{
    char a[CELL], b[CELL], c[CELL];
    (void)printf("  %-22s %16s %16s  ", name, str_count(a, CELL, planned), str_count(b, CELL, measured));
    if (apart == 0)
        (void)printf("equal\n");
    else
        (void)printf("DIFFERENT by up to %s\n", str_count(c, CELL, apart));
}

static void print_sent(const struct account *a)
{
    for (int p = 0; p < COMM_PHASES; p++) {
        char name[CELL], cell[CELL];
        const int i = ARENAS + p;
        if (a->planned[i] == 0 && a->measured[i] == 0) continue;
        (void)snprintf(name, sizeof name, "sent, %s", comm_phase_name((enum comm_phase)p));
        if (p != COMM_CONTROL)
            print_row(name, a->planned[i], a->measured[i], a->apart[i]);
        else
            (void)printf("  %-22s %16s %16s  reports and scalars\n", name, "", str_count(cell, CELL, a->measured[i]));
    }
}

static void print_account(const struct account *a, bool clean_step)
{
    char b[CELL], c[CELL];
    (void)printf("\n%-24s %16s %16s  bytes, the most over the ranks\n", "", "planned", "measured");
    for (int i = 0; i < ARENAS; i++) print_row(arena_names[i], a->planned[i], a->measured[i], a->apart[i]);
    if (clean_step)
        print_sent(a);
    else
        (void)printf("  sent: not compared, the last step was none or took two attempts\n");
    (void)printf("  %-22s %16s %16s  resident memory above the start's\n", "process", str_count(b, CELL, a->planned_total),
                 str_count(c, CELL, a->resident));
    if (a->gathered_most > 0) (void)printf("  gathered weights: at most %lld units at one time\n", (long long)a->gathered_most);
}

/* --- For the journal ----------------------------------------------------------------------------------------------------- */

static void append_row(json_t *rows, const char *name, int64_t planned, int64_t measured, int64_t apart)
{
    json_t *row = json_pack("{s:s, s:I, s:I, s:I}", "name", name, "planned", (json_int_t)planned, "measured", (json_int_t)measured, "apart",
                            (json_int_t)apart);
    CHECK(row != NULL && json_array_append_new(rows, row) == 0);
}

/* A list of {name, planned, measured, apart}: bytes; the process is not expected to be equal, and has apart -1. */
static json_t *account_json(const struct account *a, bool clean_step)
{
    json_t *rows = json_array();
    for (int i = 0; i < ARENAS; i++) append_row(rows, arena_names[i], a->planned[i], a->measured[i], a->apart[i]);
    for (int p = 0; p < COMM_PHASES; p++) {
        char name[CELL];
        const int i = ARENAS + p;
        if (!clean_step || p == COMM_CONTROL || (a->planned[i] == 0 && a->measured[i] == 0)) continue;
        (void)snprintf(name, sizeof name, "sent, %s", comm_phase_name((enum comm_phase)p));
        append_row(rows, name, a->planned[i], a->measured[i], a->apart[i]);
    }
    append_row(rows, "process", a->planned_total, a->resident, -1);
    return rows;
}

static void account_journal(const struct account *a, bool clean_step, const struct run_folder *folder, int64_t step)
{
    char sentence[160], planned[CELL], measured[CELL];
    (void)snprintf(sentence, sizeof sentence, "planned %s, resident %s: the most over the ranks",
                   str_bytes(planned, CELL, (double)a->planned_total), str_bytes(measured, CELL, (double)a->resident));
    journal_facts(folder, "account", step, sentence, account_json(a, clean_step));
}

enum status account_print(const struct comm *world, const struct session *s, const struct worker *w, const struct run_folder *folder,
                          int64_t baseline, bool clean_step)
{
    struct account a;
    enum { FIELDS = sizeof a / sizeof(int64_t) };
    enum status mine = collect(s, w, comm_rank(world), baseline, clean_step, &a);
    TRY(comm_agree(world, mine));
    TRY(comm_max_i64(world, COMM_CONTROL, (int64_t *)(void *)&a, FIELDS));
    if (comm_rank(world) != 0) return ST_OK;
    print_account(&a, clean_step);
    account_journal(&a, clean_step, folder, worker_step_done(w));
    return ST_OK;
}
