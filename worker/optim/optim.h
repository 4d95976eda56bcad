/* optim.h: the table of optimizers. A new one is a file with its opt_desc and a row in table.c; the contract tests find it there. */
#ifndef LAMINA_OPTIM_OPTIM_H
#define LAMINA_OPTIM_OPTIM_H

#include "common/plan/optimizer.h"

extern const struct opt_desc *const opt_table[]; /* NULL-terminated */

extern const struct opt_desc opt_sgd, opt_adam, opt_adamw, opt_adalayer, opt_adafactor, opt_lion;
extern const struct opt_desc opt_adam_mini, opt_schedule_free;
extern const struct opt_desc opt_signum, opt_lamb, opt_lars, opt_ademamix, opt_mars, opt_sophia;
extern const struct opt_desc opt_muon, opt_soap, opt_shampoo, opt_galore, opt_apollo;

#endif
