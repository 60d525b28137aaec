/*
 * Several chains that know nothing of each other, on some threads: at the same time, each with its own threads for all
 * of its steps, or in turn, each with all threads. Where a chain has several threads, these share its cells and
 * columns, and wait for each other.
 */

#ifndef ELMO_CHAINS_H
#define ELMO_CHAINS_H

#include <immintrin.h>
#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

/* Of one call; so many as the modules of Python that call say as well. */
#define MAX_CHAINS 8

struct meeting {
    atomic_int arrived, number;
};

/* Returns when all `parts` threads have come. */
static void meet(struct meeting *meeting, int parts) {
    if (parts == 1) return;
    int number = atomic_load(&meeting->number);
    if (atomic_fetch_add(&meeting->arrived, 1) == parts - 1) {
        atomic_store(&meeting->arrived, 0);
        atomic_fetch_add(&meeting->number, 1);
        return;
    }
    for (int turn = 0; atomic_load(&meeting->number) == number; turn++) {
        if (turn < 2000) _mm_pause();
        else sched_yield();
    }
}

/* All steps of chain `index` of a task, of its cells and columns those that are this part's. */
typedef void run_part(const void *task, int index, int part, int parts, struct meeting *meeting);

static void run_chains(run_part *run, const void *task, int num_chains, int num_threads, int in_turn) {
    if (num_threads <= 1) {
        for (int index = 0; index < num_chains; index++) run(task, index, 0, 1, 0);
        return;
    }
    struct meeting meetings[MAX_CHAINS];
    memset(meetings, 0, sizeof meetings);
#pragma omp parallel num_threads(num_threads)
    {
        int team = omp_get_num_threads(), own = omp_get_thread_num(), parts = team / num_chains;
        if (in_turn) {
            for (int index = 0; index < num_chains; index++) run(task, index, own, team, meetings + index);
        } else if (parts == 0) {
            for (int index = own; index < num_chains; index += team) run(task, index, 0, 1, 0);
        } else if (own < parts * num_chains) {
            run(task, own / parts, own % parts, parts, meetings + own / parts);
        }
    }
}

#endif
