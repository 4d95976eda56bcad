/* built.h: what the build knows about itself. The values are written when it is made (cmake/built.cmake), and again when the commit
 * changes. */
#ifndef LAMINA_COORDINATOR_BUILT_H
#define LAMINA_COORDINATOR_BUILT_H

extern const char *const built_version; /* "0.1.0" */
extern const char *const built_commit;  /* "1a2b3c4d5e6f", with "-modified" where tracked files differ from it; "" outside a checkout */
extern const char *const built_type;    /* "Release" */
extern const char *const built_flags;   /* of the compiler, those that change code */
extern const char *const built_target;  /* processor that the baseline is for, "x86_64" */

#endif
