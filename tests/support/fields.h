/* fields.h: fill the struct of a variant (an optimizer, a schedule) from its table, without a configuration around it. */
#ifndef LAMINA_TESTS_FIELDS_H
#define LAMINA_TESTS_FIELDS_H

#include "common/config/field.h"

/* Defaults first (what has none is zero), then settings: "betas=[0.9,0.95] nadam=torch momentum=0.9:ema:debias", parted by blanks; a share
 * is "5" or "5%". A key that the table lacks, or a word that a field lacks, breaks an invariant. */
void fields_fill(const struct variant *variant, const char *settings, void *out);

#endif
