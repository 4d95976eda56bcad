/* libraries.h: the libraries that this program is made of. The rows are read by cmake/libraries.cmake as well, which tells when configuring
 * what `lamina info` tells later: a row is one line, and its five fields are literals. */
#ifndef LAMINA_BASE_LIBRARIES_H
#define LAMINA_BASE_LIBRARIES_H

/* word, name, packages of Debian and Ubuntu, what module systems and Spack call it, what is lost without it ("": it is required) */
#define LIBRARY_LIST(X)                                                                                                                    \
    X(mpi, "MPI", "openmpi-bin libopenmpi-dev, or mpich libmpich-dev", "OpenMPI or MPICH", "")                                             \
    X(hdf5, "HDF5", "libhdf5-openmpi-dev, or libhdf5-mpich-dev", "HDF5 built with this MPI (spack: hdf5+mpi)", "")                         \
    X(openmp, "OpenMP", "gcc, or clang libomp-dev", "GCC", "")                                                                             \
    X(yaml, "libyaml", "libyaml-dev", "libyaml", "")                                                                                       \
    X(jansson, "jansson", "libjansson-dev", "Jansson", "")                                                                                 \
    X(xxhash, "xxHash", "libxxhash-dev", "xxHash", "")                                                                                     \
    X(zlib, "zlib", "zlib1g-dev", "zlib", "")                                                                                              \
    X(dnnl, "oneDNN", "libdnnl-dev", "oneDNN", "dense products go to CBLAS, one thread per call, bf16 converted to fp32")                  \
    X(blas, "CBLAS", "libopenblas-dev", "OpenBLAS", "LAPACKE is left out as well")                                                         \
    X(lapacke, "LAPACKE", "liblapacke-dev", "OpenBLAS or netlib LAPACK", "matrix optimizers are left out")                                 \
    X(pcre2, "PCRE2", "libpcre2-dev", "PCRE2", "--document-start and most tokenizer.json files (expressions) are refused")                 \
    X(utf8proc, "utf8proc", "libutf8proc-dev", "utf8proc", "tokenizer.json files that normalize Unicode are refused")                      \
    X(zstd, "zstd", "libzstd-dev", "zstd", "data build refuses .zst")                                                                      \
    X(bzip2, "bzip2", "libbz2-dev", "bzip2", "data build refuses .bz2")                                                                    \
    X(xz, "xz", "liblzma-dev", "XZ", "data build refuses .xz")

/* library_WORD: the version of the library that is loaded now, with what else tells it apart; NULL where it is not built in. Each stands in
 * the folder that may include the library's header. */
#define LIBRARY_DECLARE(word, name, debian, module, lost) const char *library_##word(void);
LIBRARY_LIST(LIBRARY_DECLARE)

#endif
