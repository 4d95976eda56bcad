/* newton_schulz.h: the nearest matrix with equal singular values, roughly: u = U S V^T becomes about U V^T by an odd polynomial of
 * u / |u|_F, repeated. After five steps the singular values lie near 1, not at it; that is meant. fp32.
 * Sources: Jordan et al. 2024 (KellerJordan/Muon muon.py); quintic: NVIDIA-NeMo/Emerging-Optimizers muon_utils.py; polar-express: Amsel et
 * al. 2025 (arXiv 2505.16932), factors of safety folded in. */
#ifndef LAMINA_OPTIM_NEWTON_SCHULZ_H
#define LAMINA_OPTIM_NEWTON_SCHULZ_H

#include <stddef.h>
#include <stdint.h>

/* Coefficients (a, b, c) of each step. More steps than triples: quintic starts again, the others repeat their last. */
enum newton_schulz_coefficients { COEFFICIENTS_KELLER, COEFFICIENTS_QUINTIC, COEFFICIENTS_POLAR_EXPRESS, COEFFICIENTS_DEEPSEEK_V4 };
extern const char *const newton_schulz_words[];

/* What the result is multiplied by, n rows (outputs) and m columns: sqrt(max(1, n/m)), 0.2 sqrt(max(n, m)), sqrt(max(n, m)), sqrt(n/m). */
enum newton_schulz_scale { SCALE_KELLER, SCALE_RMS, SCALE_SPECTRAL, SCALE_UNIT };
extern const char *const newton_schulz_scale_words[];
double newton_schulz_scale(enum newton_schulz_scale scale, int64_t rows, int64_t cols);

struct newton_schulz {
    enum newton_schulz_coefficients coefficients;
    int64_t steps;
    double eps;   /* added to the Frobenius norm */
    double scale; /* of the result */
};
/* u [rows, cols] <- scale NS(u / (|u|_F + eps)), in place. X <- a X + (b A + c A^2) X with A = X X^T, X transposed where rows > cols. */
void newton_schulz(const struct newton_schulz *how, int64_t rows, int64_t cols, float *u, void *scratch);
size_t newton_schulz_scratch(int64_t rows, int64_t cols); /* bytes */
double newton_schulz_flops(int64_t steps, int64_t rows, int64_t cols);

#endif
