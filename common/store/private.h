/* private.h: HDF5 as the files of common/store share it. */
#ifndef LAMINA_STORE_PRIVATE_H
#define LAMINA_STORE_PRIVATE_H

#ifndef LAMINA_STORE
#error "common/store/private.h belongs to common/store; include h5.h"
#endif

#include "common/tensor/tensor.h"
#include "h5.h"
#include <hdf5.h>

/* The type as HDF5 object; the caller closes it. Negative: HDF5 failed. */
hid_t h5_type(enum stored type);

/* Types in memory and in files. dtype_of: false for uint32, which no tensor has. */
enum stored stored_of(enum dtype dtype);
bool dtype_of(enum stored stored, enum dtype *out);

/* The sentence of HDF5's error stack of the last call: the call of ours and the innermost reason. */
enum { H5_WHY = 400 };
const char *h5_why(char out[H5_WHY]);

#endif
