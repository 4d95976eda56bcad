#include "fault.h"
#include "log.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum fault_action { ACT_FAIL, ACT_KILL, ACT_HANG, ACT_COUNT };
static const char *const action_names[ACT_COUNT] = { "fail", "kill", "hang" };

static const struct {
    const char *name;
    enum status status;
} points[FAULT_COUNT] = {
#define FAULT_ROW(name, status) { #name, status },
    FAULT_LIST(FAULT_ROW)
#undef FAULT_ROW
};

/* Written once at start, before there are other threads; only the countdown changes later. */
static bool armed;
static enum fault_point armed_point;
static enum fault_action armed_action;
static atomic_long visits_left;

enum status fault_here(enum fault_point point)
{
    if (!armed || point != armed_point) return ST_OK;
    if (atomic_fetch_sub(&visits_left, 1) != 1) return ST_OK; /* before the count, or it has fired */
    if (armed_action == ACT_KILL) (void)raise(SIGKILL);
    while (armed_action == ACT_HANG) (void)pause();
    FAIL(points[point].status, "fault '%s' was asked for by LAMINA_FAULT", points[point].name);
}

static int find_point(const char *name)
{
    for (int i = 0; i < FAULT_COUNT; i++)
        if (strcmp(points[i].name, name) == 0) return i;
    return -1;
}

static int find_action(const char *name)
{
    for (int i = 0; i < ACT_COUNT; i++)
        if (strcmp(action_names[i], name) == 0) return i;
    return -1;
}

/* name@rank[:count][=action] */
static bool parse(const char *text, int *point, long *rank, long *count, int *action)
{
    char name[32], verb[8] = "fail";
    int used = 0, more = 0;
    *count = 1;
    if (sscanf(text, "%31[a-z_]@%ld%n", name, rank, &used) != 2) return false;
    if (sscanf(text + used, ":%ld%n", count, &more) == 1) used += more;
    more = 0;
    if (sscanf(text + used, "=%7[a-z]%n", verb, &more) == 1) used += more;
    *point = find_point(name);
    *action = find_action(verb);
    return text[used] == '\0' && *point >= 0 && *action >= 0 && *rank >= 0 && *count >= 1;
}

void fault_arm_from_environment(int rank)
{
    const char *const text = getenv("LAMINA_FAULT");
    int point = 0, action = 0;
    long at_rank = 0, count = 0;
    armed = false;
    if (text == NULL || text[0] == '\0') return;
    if (!parse(text, &point, &at_rank, &count, &action)) {
        log_warn("LAMINA_FAULT='%s' is ignored: expected name@rank[:count][=fail|kill|hang] with a name from common/base/fault.h", text);
        return;
    }
    armed_point = (enum fault_point)point;
    armed_action = (enum fault_action)action;
    atomic_store(&visits_left, count);
    armed = at_rank == rank;
}
