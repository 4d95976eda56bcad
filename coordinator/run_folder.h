/* run_folder.h: runs/NAME: where its files stand, how it is made and moved aside. Everything here is local and called by rank 0. */
#ifndef LAMINA_COORDINATOR_RUN_FOLDER_H
#define LAMINA_COORDINATOR_RUN_FOLDER_H

#include "common/config/config.h"
#include "coordinator/file.h"

struct run_folder {
    char path[PATH_BYTES]; /* absolute */
    char config[PATH_BYTES], run_json[PATH_BYTES], metrics[PATH_BYTES], events[PATH_BYTES], checkpoints[PATH_BYTES], log[PATH_BYTES];
};
/* Names only; nothing is touched. Fails: ST_IO when a path does not fit. */
enum status run_folder_of(const struct config *config, struct run_folder *out) MUST_USE;
enum status run_folder_at(const char *path, struct run_folder *out) MUST_USE;
/* The folder with ckpt/ and log/ inside. Fails: ST_IO. */
enum status run_folder_make(const struct run_folder *f) MUST_USE;
/* Renames an old folder to PATH.old-TIMESTAMP; `to` gets the new name. Fails: ST_IO. */
enum status run_folder_aside(const struct run_folder *f, char to[PATH_BYTES]) MUST_USE;
/* Data paths, tokenizer file and run.folder become absolute, so that config.yaml means the same from any folder. Fails: ST_IO. */
enum status run_folder_absolute(struct config *config) MUST_USE;

#endif
