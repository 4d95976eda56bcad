/* Groups and their collectives, with what they count. "deadline" as an argument: rank 1 never comes (tests/fault/deadline.sh). */
#include "common/comm/comm.h"
#include "common/base/clock.h"
#include "common/comm/recorder.h"
#include "tests/support/mpi_check.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t counted(enum comm_phase phase)
{
    int64_t bytes[COMM_PHASES];
    comm_bytes(bytes);
    return bytes[phase];
}

START_TEST(sums_maxima_and_minima_are_over_all_ranks_and_counted)
{
    const struct comm *w = mpi_world();
    const int n = comm_size(w), me = comm_rank(w);
    int64_t sum[3] = { me, 1, (int64_t)me << 40 }, most_i[1] = { -me };
    uint32_t most_u[2] = { (uint32_t)me, 0xfffffff0U + (uint32_t)me };
    double low[1] = { 5.0 - me }, high[1] = { 5.0 - me };
    const int64_t before = counted(COMM_OPTIMIZER);
    mpi_ck_assert(w, comm_sum_i64(w, COMM_OPTIMIZER, sum, 3) == ST_OK);
    mpi_ck_assert(w, counted(COMM_OPTIMIZER) - before == 2 * 24 * (n - 1) / n);
    mpi_ck_assert(w, comm_max_i64(w, COMM_DATA, most_i, 1) == ST_OK && most_i[0] == 0);
    mpi_ck_assert(w, comm_max_u32(w, COMM_DATA, most_u, 2) == ST_OK);
    mpi_ck_assert(w, comm_min_f64(w, COMM_DATA, low, 1) == ST_OK && comm_max_f64(w, COMM_DATA, high, 1) == ST_OK);
    const int64_t ranks = n * (n - 1) / 2;
    mpi_ck_assert(w, sum[0] == ranks && sum[1] == n && sum[2] == ranks << 40);
    mpi_ck_assert(w, most_u[0] == (uint32_t)(n - 1) && most_u[1] == 0xfffffff0U + (uint32_t)(n - 1));
    mpi_ck_assert(w, low[0] == 6.0 - n && high[0] == 5.0);
}
END_TEST

START_TEST(a_broadcast_in_pieces_arrives_whole_and_only_its_root_pays)
{
    const struct comm *w = mpi_world();
    const int n = comm_size(w), me = comm_rank(w);
    comm_limit_pieces(1000);
    for (int root = 0; root < n; root++) {
        unsigned char text[4567];
        for (size_t i = 0; i < sizeof text; i++) text[i] = me == root ? (unsigned char)(i * 7 + (size_t)root) : 0;
        const int64_t before = counted(COMM_DATA);
        mpi_ck_assert(w, comm_broadcast(w, COMM_DATA, text, sizeof text, root) == ST_OK);
        mpi_ck_assert(w, counted(COMM_DATA) - before == (me == root ? 4567 * (n - 1) : 0));
        bool same = true;
        for (size_t i = 0; i < sizeof text; i++) same = same && text[i] == (unsigned char)(i * 7 + (size_t)root);
        mpi_ck_assert(w, same);
    }
    comm_limit_pieces((size_t)1 << 30);
}
END_TEST

enum { SLOTS = 3 };
struct report {
    int64_t count;
    uint32_t most;
    char first[12];
    int32_t by_rank[SLOTS];
};

static void report_combine(const void *in, void *inout, size_t n)
{
    const struct report *a = in;
    struct report *b = inout;
    b->count += a->count;
    if (a->most > b->most) b->most = a->most;
    if (strcmp(a->first, b->first) < 0) memcpy(b->first, a->first, sizeof b->first);
    for (int i = 0; i < SLOTS; i++) b->by_rank[i] += a->by_rank[i];
}

static void longest(const void *in, void *inout, size_t n)
{
    if (memcmp(in, inout, n) > 0) memcpy(inout, in, n);
}

START_TEST(a_record_is_reduced_whole_by_any_function_and_of_any_size)
{
    const struct comm *w = mpi_world();
    const int n = comm_size(w), me = comm_rank(w);
    for (int again = 0; again < 50; again++) {
        struct report r = { .count = 1, .most = (uint32_t)me, .first = "rank ?", .by_rank = { me, 2 * me, 1 } };
        r.first[5] = (char)('a' + n - me);
        mpi_ck_assert(w, comm_reduce_record(w, COMM_CONTROL, &r, sizeof r, report_combine) == ST_OK);
        mpi_ck_assert(w, r.count == n && r.most == (uint32_t)(n - 1) && r.first[5] == 'b');
        mpi_ck_assert(w, r.by_rank[0] == n * (n - 1) / 2 && r.by_rank[2] == n);
        unsigned char big[5001] = { 0 };
        big[(size_t)(me + again) % sizeof big] = 1;
        mpi_ck_assert(w, comm_reduce_record(w, COMM_CONTROL, big, sizeof big, longest) == ST_OK && big[again] == 1);
    }
}
END_TEST

/* Slices of very different sizes, also none, gathered twice at one time, with work in between. */
static void gather_slices(const struct comm *w, size_t scale)
{
    const int n = comm_size(w), me = comm_rank(w);
    size_t bytes[64], total = 0, begin = 0;
    for (int r = 0; r < n; r++) {
        bytes[r] = r == 1 ? 0 : ((size_t)r + 1) * scale + (size_t)r;
        if (r < me) begin += bytes[r];
        total += bytes[r];
    }
    unsigned char *unit[2];
    struct comm_request request[2] = { 0 };
    const int64_t before = counted(COMM_GATHER);
    for (int u = 0; u < 2; u++) {
        unit[u] = calloc(total, 1);
        for (size_t i = 0; i < bytes[me]; i++) unit[u][begin + i] = (unsigned char)((begin + i) * 31 % 251 + (size_t)u);
        mpi_ck_assert(w, comm_gather_begin(w, COMM_GATHER, unit[u], bytes, &request[u]) == ST_OK);
    }
    for (int i = 0; i < 100; i++) comm_poll(NULL);
    mpi_ck_assert(w, comm_wait(w, &request[1]) == ST_OK && comm_wait(w, &request[0]) == ST_OK);
    mpi_ck_assert(w, counted(COMM_GATHER) - before == 2 * (int64_t)bytes[me] * (n - 1));
    for (int u = 0; u < 2; u++) {
        bool same = true;
        for (size_t i = 0; i < total; i++) same = same && unit[u][i] == (unsigned char)(i * 31 % 251 + (size_t)u);
        mpi_ck_assert(w, same);
        free(unit[u]);
    }
}

START_TEST(a_unit_is_gathered_in_place_from_uneven_slices)
{
    for (size_t scale = 1; scale < 3000000; scale *= 12) gather_slices(mpi_world(), scale);
}
END_TEST

START_TEST(a_unit_too_long_for_one_call_is_gathered_the_same)
{
    comm_limit_pieces(10007);
    for (size_t scale = 1; scale < 1000000; scale *= 12) gather_slices(mpi_world(), scale);
    comm_limit_pieces((size_t)1 << 30);
}
END_TEST

START_TEST(sums_in_flight_progress_and_are_counted)
{
    enum { N = 70001 };
    const struct comm *w = mpi_world();
    const int n = comm_size(w), me = comm_rank(w);
    int64_t *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
    for (size_t piece = 1 << 30; piece >= 1 << 16; piece >>= 14) {
        struct comm_request first = { 0 }, second = { 0 };
        comm_limit_pieces(piece);
        for (int64_t i = 0; i < N; i++) a[i] = i * (me + 1), b[i] = -i;
        const int64_t before = counted(COMM_ACROSS);
        mpi_ck_assert(w, comm_sum_begin(w, COMM_ACROSS, a, N, &first) == ST_OK);
        mpi_ck_assert(w, comm_sum_begin(w, COMM_ACROSS, b, N, &second) == ST_OK);
        comm_poll(NULL);
        mpi_ck_assert(w, comm_wait(w, &first) == ST_OK && comm_wait(w, &second) == ST_OK && comm_wait(w, &first) == ST_OK);
        mpi_ck_assert(w, counted(COMM_ACROSS) - before == 2 * (2 * 8 * (int64_t)N * (n - 1) / n));
        bool same = true;
        for (int64_t i = 0; i < N; i++) same = same && a[i] == i * n * (n + 1) / 2 && b[i] == -i * n;
        mpi_ck_assert(w, same);
    }
    comm_limit_pieces((size_t)1 << 30);
    free(a);
    free(b);
}
END_TEST

/* Every rank sends two messages to every other, the second one empty for some; what arrives names sender, order and place. */
static void send_messages(const struct comm *w, int64_t scale)
{
    enum { MOST = 16 };
    const int n = comm_size(w), me = comm_rank(w);
    struct comm_message sends[MOST], recvs[MOST];
    struct comm_request request = { 0 };
    int n_messages = 0;
    int64_t sent = 0;
    bool same = true;
    for (int other = 0; other < n; other++)
        for (int k = 0; k < 2 && other != me; k++, n_messages++) {
            const size_t out = (size_t)(scale * (me + 1) * (k == 1 ? other % 2 : 1)),
                         in = (size_t)(scale * (other + 1) * (k == 1 ? me % 2 : 1));
            sends[n_messages] = (struct comm_message){ other, malloc(out + 1), out };
            recvs[n_messages] = (struct comm_message){ other, malloc(in + 1), in };
            for (size_t i = 0; i < out; i++)
                ((unsigned char *)sends[n_messages].bytes)[i] = (unsigned char)(me * 31 + k * 7 + (int)(i % 101));
            sent += (int64_t)out;
        }
    const int64_t before = counted(COMM_OPTIMIZER);
    mpi_ck_assert(w, comm_messages_begin(w, COMM_OPTIMIZER, sends, n_messages, recvs, n_messages, &request) == ST_OK);
    comm_poll(NULL);
    mpi_ck_assert(w, comm_wait(w, &request) == ST_OK && counted(COMM_OPTIMIZER) - before == sent);
    for (int m = 0; m < n_messages; m++) {
        const unsigned char *bytes = recvs[m].bytes;
        for (size_t i = 0; i < recvs[m].n; i++) same = same && bytes[i] == (unsigned char)(recvs[m].peer * 31 + m % 2 * 7 + (int)(i % 101));
        free(sends[m].bytes);
        free(recvs[m].bytes);
    }
    mpi_ck_assert(w, same);
}

START_TEST(messages_between_pairs_arrive_in_order_whole_and_counted)
{
    for (int64_t scale = 1; scale < 3000000; scale *= 37) send_messages(mpi_world(), scale);
    comm_limit_pieces(1009);
    for (int64_t scale = 1; scale < 60000; scale *= 37) send_messages(mpi_world(), scale);
    comm_limit_pieces((size_t)1 << 30);
}
END_TEST

START_TEST(groups_are_ordered_by_rank_and_know_their_hosts)
{
    const struct comm *w = mpi_world();
    const int n = comm_size(w), me = comm_rank(w), color = me % 2;
    struct comm *half = NULL, *copy = NULL;
    mpi_ck_assert(w, comm_split(w, color, &half) == ST_OK && comm_duplicate(w, &copy) == ST_OK);
    mpi_ck_assert(w, comm_size(half) == (n + 1 - color) / 2 && comm_rank(half) == me / 2);
    mpi_ck_assert(w, comm_size(copy) == n && comm_rank(copy) == me);
    int64_t sum = me;
    mpi_ck_assert(w, comm_sum_i64(half, COMM_ACROSS, &sum, 1) == ST_OK);
    int64_t expected = 0;
    for (int r = color; r < n; r += 2) expected += r;
    mpi_ck_assert(w, sum == expected);
    mpi_ck_assert(w, comm_node_size(w) == n && strcmp(comm_host(w, n - 1), comm_host(w, 0)) == 0 && comm_host(w, 0)[0] != '\0');
    int32_t mine[2] = { me, 7 }, all[128];
    mpi_ck_assert(w, comm_gather_all(copy, COMM_DATA, mine, sizeof mine, all) == ST_OK);
    for (int r = 0; r < n; r++) mpi_ck_assert(w, all[2 * r] == r && all[2 * r + 1] == 7);
    mpi_ck_assert(w, comm_barrier(half) == ST_OK);
    comm_free(half);
    comm_free(copy);
}
END_TEST

START_TEST(a_group_of_one_needs_no_one)
{
    struct comm *self = NULL, *again = NULL;
    ck_assert(comm_self(&self) == ST_OK && comm_split(self, 3, &again) == ST_OK);
    int64_t value = 5;
    struct comm_request request = { 0 };
    const size_t bytes[1] = { sizeof value };
    ck_assert(comm_size(again) == 1 && comm_rank(again) == 0 && comm_node_size(again) == 1 && comm_handle(self) == NULL);
    ck_assert(comm_sum_i64(self, COMM_DATA, &value, 1) == ST_OK && comm_broadcast(self, COMM_DATA, &value, 8, 0) == ST_OK);
    ck_assert(comm_gather_begin(self, COMM_DATA, &value, bytes, &request) == ST_OK && comm_wait(self, &request) == ST_OK);
    ck_assert(comm_barrier(self) == ST_OK && value == 5);
    comm_finish(again);
    comm_finish(self);
    comm_finish(NULL);
}
END_TEST

START_TEST(the_recorder_keeps_the_newest)
{
    int ends[2];
    char text[8192];
    for (int i = 0; i < 100; i++) recorder_note(i == 99 ? "update" : "forward", -i, i);
    ck_assert_str_eq(recorder_last(), "update");
    ck_assert(pipe(ends) == 0);
    recorder_dump(ends[1]);
    (void)close(ends[1]);
    const ssize_t n = read(ends[0], text, sizeof text - 1);
    (void)close(ends[0]);
    ck_assert(n > 0);
    text[n] = '\0';
    ck_assert(strncmp(text, "step -36 forward 36\n", 20) == 0);
    ck_assert(strstr(text, "step -99 update 99\n") == text + n - 19);
}
END_TEST

static void add(TCase *t)
{
    tcase_add_test(t, sums_maxima_and_minima_are_over_all_ranks_and_counted);
    tcase_add_test(t, a_broadcast_in_pieces_arrives_whole_and_only_its_root_pays);
    tcase_add_test(t, a_record_is_reduced_whole_by_any_function_and_of_any_size);
    tcase_add_test(t, a_unit_is_gathered_in_place_from_uneven_slices);
    tcase_add_test(t, a_unit_too_long_for_one_call_is_gathered_the_same);
    tcase_add_test(t, sums_in_flight_progress_and_are_counted);
    tcase_add_test(t, messages_between_pairs_arrive_in_order_whole_and_counted);
    tcase_add_test(t, groups_are_ordered_by_rank_and_know_their_hosts);
    tcase_add_test(t, a_group_of_one_needs_no_one);
    tcase_add_test(t, the_recorder_keeps_the_newest);
}

/* All ranks but 1 wait in a barrier. */
static int wait_for_a_rank_that_never_comes(void)
{
    struct comm *world = NULL;
    if (comm_start(&world) != ST_OK) return 1;
    recorder_note("barrier of the test", 12, 0);
    if (comm_rank(world) == 1) (void)sleep(30);
    if (comm_rank(world) != 1 && comm_barrier(world) != ST_OK) return 1;
    comm_finish(world);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "deadline") == 0) return wait_for_a_rank_that_never_comes();
    return mpi_check_main("comm", add);
}
