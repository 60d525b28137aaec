/* Activations of gates, and cells, LANES numbers at a time. */

#ifndef ELMO_ACTIVATIONS_H
#define ELMO_ACTIVATIONS_H

#include "vectors.h"

/* e^x to 2 units of the last place, of -88 and 88 at most; not a number stays so. */
INLINE vector exponential(vector x) {
    /* The bound comes first, so that what is not a number stays. */
    x = larger(all(-88.0f), smaller(all(88.0f), x));
    const vector n = nearest(times(x, all(1.44269504089f)));
    /* ln 2 in two parts, the first with few digits, so that its products with n are exact. */
    x = without_product(n, all(0.693359375f), x);
    x = without_product(n, all(-2.12194440e-4f), x);
    vector y = all(1.0f / 5040);
    y = times_plus(y, x, all(1.0f / 720));
    y = times_plus(y, x, all(1.0f / 120));
    y = times_plus(y, x, all(1.0f / 24));
    y = times_plus(y, x, all(1.0f / 6));
    y = times_plus(y, x, all(0.5f));
    y = times_plus(y, x, all(1.0f));
    y = times_plus(y, x, all(1.0f));
    return times(y, power_of_two(n));
}

INLINE vector sigmoid(vector x) {
    vector one = all(1.0f);
    return over(one, plus(one, exponential(minus(zeros(), x))));
}

/* 2 sigmoid(2 x) - 1 */
INLINE vector hyperbolic_tangent(vector x) {
    return times_minus(all(2.0f), sigmoid(plus(x, x)), all(1.0f));
}

INLINE vector clipped(vector x, vector bound) {
    return larger(minus(zeros(), bound), smaller(bound, x));
}

/* What becomes of the gates of LANES cells; `after` is before the clip, `memory` behind it. */
struct cell {
    vector input, candidate, forget, output, after, memory, squashed, exposed;
};

/* gates: before their activations; before: the memory before the step. */
INLINE struct cell cell_of(const vector *gates, vector before, vector bound) {
    struct cell cell;
    cell.input = sigmoid(gates[0]);
    cell.candidate = hyperbolic_tangent(gates[1]);
    cell.forget = sigmoid(gates[2]);
    cell.output = sigmoid(gates[3]);
    cell.after = times_plus(cell.forget, before, times(cell.input, cell.candidate));
    cell.memory = clipped(cell.after, bound);
    cell.squashed = hyperbolic_tangent(cell.memory);
    cell.exposed = times(cell.output, cell.squashed);
    return cell;
}

#endif
