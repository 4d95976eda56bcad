#include "mpi_check.h"
#include "common/base/log.h"
#include "common/comm/agree.h"
#include "common/math/product.h"
#include <stdlib.h>

static struct comm *world; /* Check's tests take no arguments */

const struct comm *mpi_world(void) { return world; }

void mpi_ck_agree(const struct comm *comm, bool holds, const char *condition, const char *file, int line)
{
    enum status mine = ST_OK;
    if (!holds)
        mine = status_fail(ST_DIFFER, file, line, "%s:%d: rank %d of %d: this does not hold: %s", file, line, comm_rank(comm),
                           comm_size(comm), condition);
    if (comm_agree(comm, mine) != ST_OK) ck_abort_msg("%s", status_text());
}

int mpi_check_main(const char *name, void (*add)(TCase *))
{
    enum status s = comm_start(&world);
    if (s == ST_OK) s = comm_agree(world, math_start(getenv("LAMINA_ISA")));
    if (s != ST_OK) {
        log_failure(s);
        comm_finish(world);
        return status_exit_code(s);
    }
    TCase *t = tcase_create(name);
    tcase_set_timeout(t, 0); /* CTest's holds */
    add(t);
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, comm_rank(world) == 0 ? CK_NORMAL : CK_SILENT);
    int64_t failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (comm_max_i64(world, COMM_CONTROL, &failed, 1) != ST_OK) failed = 1;
    comm_finish(world);
    return failed > 0;
}
