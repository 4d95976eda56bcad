/* clones.h: a plain loop compiled a second time for AVX2 and chosen when the program is loaded, for files that are otherwise built for the
 * oldest processor. The bits are the same: nothing is fused (-ffp-contract=off), no sum of floats is reordered, and IEEE rounds +, *, / and
 * sqrt alike at every width. So LAMINA_ISA has no say here, and the fingerprint no row. Loops that gain from fused operations or call exp
 * stand in common/math/vec_kernels.c instead. */
#ifndef LAMINA_BASE_CLONES_H
#define LAMINA_BASE_CLONES_H

#include <stdint.h> /* defines __GLIBC__, whose loader does the choosing */

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__)
#define VECTOR_CLONES __attribute__((target_clones("default", "avx2")))
#else
#define VECTOR_CLONES
#endif

#endif
