/* A filter for HDF5 as a stranger might leave it on HDF5_PLUGIN_PATH: being loaded is all it needs to do harm. It creates the file that
 * $LAMINA_TEST_MARK names. */
#include <H5PLextern.h>
#include <fcntl.h>
#include <hdf5.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void loaded(void)
{
    const char *const mark = getenv("LAMINA_TEST_MARK");
    const int fd = mark != NULL ? open(mark, O_WRONLY | O_CREAT, 0600) : -1;
    if (fd >= 0) (void)close(fd);
}

static size_t filter(unsigned flags, size_t n_values, const unsigned *values, size_t n, size_t *room, void **bytes) { return n; }

static const H5Z_class2_t class = { H5Z_CLASS_T_VERS, 300, 1, 1, "lamina test", NULL, NULL, filter };

H5PL_type_t H5PLget_plugin_type(void) { return H5PL_TYPE_FILTER; }
const void *H5PLget_plugin_info(void) { return &class; }
