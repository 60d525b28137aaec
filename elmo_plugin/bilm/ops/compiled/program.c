/* Which program this is, and whether it can run here: compiled_program.py asks before anything else is called. */

#include <cpuid.h>

#include "vectors.h"

/* compiled_program.py has the same number; one more whenever anything that is called changes. */
#define VERSION 6

int elmo_version(void) { return VERSION; }

int elmo_can_run(void) {
#if LANES == 16
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    unsigned int a, b, c, d;
    int has_half = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
    return has_half && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
}
