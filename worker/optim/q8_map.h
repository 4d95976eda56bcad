/* q8_map.h: the 256 numbers that a byte of 8-bit state stands for, and how the byte of a number is found. Read storage.h first. */
#ifndef LAMINA_OPTIM_INSIDE
#error "q8_map.h is private to worker/optim"
#endif
#ifndef LAMINA_OPTIM_Q8_MAP_H
#define LAMINA_OPTIM_Q8_MAP_H

#include <stdint.h>

/* The entries are equal cells within a decade, and a decade has half as many as the next: about as dense as r^0.3, so that cells are about
 * equally wide in r^(1/4). The bits of a ratio r in [0, 1], divided by 4 (the exponent's bias kept), are those of a number y that grows
 * like r^(1/4), and buckets equally wide in y hold one border between codes at most. Bucket b: the code of its lower end (without sign) in
 * the upper word, in the lower one the number whose sum with the bits of r carries exactly if r is past that border. */
struct q8_map {
    float value[256];    /* of each code, ascending */
    uint8_t zero;        /* the code of 0; codes above and below it are the signs */
    float least;         /* non-zero ratios count as at least this; 0: none */
    float most_negative; /* largest magnitude that has a negative entry */
    float buckets;       /* y times this is the bucket */
    const uint64_t *bucket;
};
extern const struct q8_map q8_map_signed, q8_map_positive;

#endif
