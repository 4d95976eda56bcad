/* field.h: one row per setting. A row is all that a setting needs: parsing, bounds, help, the generated reference and the
 * resolved file follow from it. Optimizers, schedules and model families bring tables of their own (struct variant). */
#ifndef LAMINA_CONFIG_FIELD_H
#define LAMINA_CONFIG_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_type {
    FIELD_BOOL,     /* bool */
    FIELD_I64,      /* int64_t */
    FIELD_F64,      /* double */
    FIELD_F64x2,    /* double[2], written [a, b] */
    FIELD_F64x3,    /* double[3] */
    FIELD_TEXT,     /* char[FIELD_TEXT_MAX] */
    FIELD_ENUM,     /* int: index into `words` */
    FIELD_SHARE,    /* struct share: an integer (steps) or N% of the run; the shares of one table follow each other in time */
    FIELD_MOMENTUM, /* struct momentum: a number, or {beta, form, debias} */
    FIELD_COUNTS,   /* struct counts: a list of integers; bounds are theirs */
    FIELD_STORAGE   /* struct storage: a type, or {dtype, block, min_size} */
};
enum { FIELD_TEXT_MAX = 1024, COUNTS_MAX = 8 };

struct share {
    double value;
    bool percent;
};
/* Steps of a run of n_steps; N % rounds half up. */
int64_t share_steps(struct share share, int64_t n_steps);
enum momentum_form { MOMENTUM_HEAVY, MOMENTUM_EMA };
struct momentum {
    double beta;
    int form;
    bool debias;
};
struct counts {
    int n; /* 0: the word */
    int64_t value[COUNTS_MAX];
};
enum storage_dtype { STORAGE_FP32, STORAGE_BF16, STORAGE_Q8 };
struct storage {
    int dtype;
    int64_t block, min_size; /* q8: elements that share a scale; a tensor with fewer elements than min_size stays fp32 */
};

struct field {
    const char *key;
    enum field_type type;
    size_t offset;            /* into the struct that the table describes */
    const char *value;        /* default as it would be written in YAML; NULL: must be given. FIELD_I64 knows derived ones, see below */
    double low, high;         /* bounds of numbers, inclusive; both 0: none */
    const char *const *words; /* NULL-terminated; see below */
    const char *unit, *help;
    bool trajectory; /* a change alters the run's numbers: refused on resume unless allowed. The rows of a variant always do */
};
/* Words.  FIELD_ENUM: word i stands for i.  FIELD_BOOL: { for false, for true } instead of these.
 * FIELD_I64, FIELD_F64: may stand instead of a number: word i for -i ("all" for 0, "" where 0 has no word); the bounds hold for numbers
 * only. FIELD_F64x2: instead of the list, word i for two times -i. FIELD_COUNTS: word 0 for none.
 * Derived defaults (FIELD_I64) are the value of another key of the same table, or a multiple of it: "heads", "4*width";
 * "8/3*width" is rounded up to a multiple of 16. */

/* A named choice that brings fields of its own: an optimizer, a schedule, a model family. Tables are NULL-terminated
 * arrays of pointers, passed in by the caller: config knows none of them. */
struct variant {
    const char *name, *summary, *source;
    const struct field *fields; /* ends with key NULL; NULL: none */
    size_t bytes;               /* of the struct that the fields fill */
    const char *const *preset;  /* pairs key, value, ..., NULL: defaults of common fields (an optimizer's lr) */
};
/* A preset value of NULL says that this choice does not read the key: giving it is an error, never ignored. A schedule that
 * does not read "run.steps" has the same factors whatever the length of the run, but for shares in percent.
 * The fields of an optimizer or a schedule fill a struct of its own; those of a family fill struct model_config (config.h),
 * where a row takes the place of the common row of the same key. */

#endif
