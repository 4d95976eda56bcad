/* Reading what somebody else may have written: everything is compared before it is used. */
#define LAMINA_STORE
#include "common/base/check.h"
#include "folder.h"
#include "private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUPERBLOCK = 48, GROUPS_MOST = 1024, NAMES_MOST = 1 << 17 };
static const char root_name[] = "the root group";
static const int64_t headers_most = INT64_C(256) << 20; /* a hundred thousand tensors have 70 MiB */

/* --- opening ------------------------------------------------------------------------------------------------------------- */

static enum status read_superblock(struct h5_source *s)
{
    static const unsigned char sign[8] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n' };
    unsigned char bytes[SUPERBLOCK];
    if (s->bytes < SUPERBLOCK) FAIL(s->bad, "%s: is not a readable HDF5 file: it has %lld bytes", s->path, (long long)s->bytes);
    TRY(file_read_at(s->fd, s->path, s->bad, 0, bytes, sizeof bytes));
    if (memcmp(bytes, sign, sizeof sign) != 0) FAIL(s->bad, "%s: is not a readable HDF5 file: it does not begin as one", s->path);
    struct h5_bytes b = { bytes + sizeof sign, sizeof bytes - sizeof sign, false };
    const unsigned version = (unsigned)h5_take(&b, 1);
    if (version != 2 && version != 3)
        FAIL(s->bad, "%s: is HDF5 in another format than that of version 1.8, which Lamina writes (h5py: libver=('v108', 'v108'))",
             s->path);
    const bool widths = h5_take(&b, 2) == 0x0808; /* of addresses and lengths */
    (void)h5_take(&b, 1);
    const bool plain = h5_take(&b, 8) == 0 && h5_take(&b, 8) == h5_nowhere; /* begins here, nothing more to it */
    const uint64_t end = h5_take(&b, 8), root = h5_take(&b, 8);
    if (h5_take(&b, 4) != h5_checksum(bytes, SUPERBLOCK - 4))
        FAIL(s->bad, "%s: is not a readable HDF5 file: the checksum of its first %d bytes is another; it is damaged", s->path, SUPERBLOCK);
    if (!widths || !plain) FAIL(s->bad, "%s: is HDF5 with settings that Lamina does not write", s->path);
    if (end > (uint64_t)s->bytes)
        FAIL(s->bad, "%s: ends too early: it has %lld bytes and should have %llu", s->path, (long long)s->bytes, (unsigned long long)end);
    s->end = (int64_t)end;
    s->root_address = root;
    return ST_OK;
}

/* Where there are many, HDF5 puts them elsewhere than into the header: up to 64 are there (h5_create). */
static enum status check_attributes(const struct h5_source *s)
{
    struct h5_bytes b;
    if (!h5_object_find(&s->root, H5_ATTRIBUTE_INFO, &b)) return ST_OK;
    const bool known = h5_take(&b, 1) == 0;
    const unsigned flags = (unsigned)h5_take(&b, 1);
    if (flags & 1) (void)h5_take(&b, 2);
    if (!known || flags > 3 || h5_take(&b, 8) != h5_nowhere)
        FAIL(s->bad, "%s: keeps its attributes apart from the header, as Lamina does not: another program wrote it, or added many",
             s->path);
    return ST_OK;
}

static enum status open_source(struct h5_source *s)
{
    TRY(file_open(s->path, s->bad, &s->fd, &s->bytes));
    s->left = s->bytes > headers_most ? headers_most : min_i64(headers_most, 4 * s->bytes);
    s->names = NAMES_MOST;
    TRY(read_superblock(s));
    TRY(h5_object_read(s, root_name, s->root_address, &s->root));
    return check_attributes(s);
}

enum status h5_open(const char *path, enum status bad, struct h5 *out)
{
    *out = (struct h5){ .bad = bad };
    if ((size_t)snprintf(out->path, sizeof out->path, "%s", path) >= sizeof out->path)
        FAIL(bad, "the path %.60s... is longer than %d bytes", path, H5_PATH - 1);
    out->source = calloc(1, sizeof *out->source);
    CHECK(out->source != NULL);
    out->source->bad = bad;
    out->source->fd = -1;
    memcpy(out->source->path, out->path, sizeof out->path);
    const enum status s = open_source(out->source);
    if (s) h5_drop(out);
    return s;
}

static void drop_source(struct h5_source *s)
{
    if (s->fd >= 0) (void)close(s->fd);
    h5_object_free(&s->root);
    free(s);
}

void h5_drop(struct h5 *f)
{
    if (f->source != NULL) drop_source(f->source);
    if (f->id > 0) (void)H5Fclose(f->id);
    f->source = NULL;
    f->id = -1;
}

int64_t h5_end(const struct h5 *f) { return f->source->end; }
int h5_descriptor(const struct h5 *f) { return f->source->fd; }

int h5_keep_descriptor(struct h5 *f)
{
    const int fd = f->source->fd;
    f->source->fd = -1;
    return fd;
}

/* --- datasets ------------------------------------------------------------------------------------------------------------ */

static bool is_group(const struct h5_object *o)
{
    struct h5_bytes ignored;
    return h5_object_find(o, H5_LINK_INFO, &ignored);
}

/* GROUP/NAME */
static enum status set_name(const struct h5_source *s, struct h5_dataset *d, const char *group, const char *name)
{
    const int n = snprintf(d->name, sizeof d->name, "%s%s%s", group, group[0] != '\0' ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof d->name)
        FAIL(s->bad, "%s: a dataset's name is longer than %d bytes: %.60s...", s->path, H5_NAME - 1, d->name);
    return ST_OK;
}

static enum status find_dataset(struct h5_source *s, const struct h5_link links[], int n, const char *name, struct h5_dataset *out)
{
    struct h5_object o;
    int at = 0;
    while (at < n && strcmp(links[at].name, name) != 0) at++;
    if (at == n) FAIL(s->bad, "%s: there is no dataset %s", s->path, name);
    TRY(set_name(s, out, "", name));
    enum status status = h5_object_read(s, name, links[at].address, &o);
    if (!status) status = h5_facts(s, &o, out);
    h5_object_free(&o);
    return status;
}

enum status h5_find(const struct h5 *f, const char *name, struct h5_dataset *out)
{
    struct h5_link *links = NULL;
    int n = 0;
    *out = (struct h5_dataset){ 0 };
    enum status s = h5_links_read(f->source, root_name, &f->source->root, &links, &n);
    if (!s) s = find_dataset(f->source, links, n, name, out);
    free(links);
    return s;
}

/* --- the whole file ------------------------------------------------------------------------------------------------------ */

struct walk {
    struct h5_source *source;
    enum status (*visit)(void *context, const struct h5_dataset *d);
    void *context;
    uint64_t group[GROUPS_MOST]; /* addresses of those met: none may stand in the file under two names, or inside itself */
    int n_groups;
};

static enum status visit_group(struct walk *w, const char *name, const struct h5_object *o);

static enum status enter_group(struct walk *w, const char *name, uint64_t address, const struct h5_object *o)
{
    const struct h5_source *const s = w->source;
    for (int i = 0; i < w->n_groups; i++)
        if (w->group[i] == address) FAIL(s->bad, "%s: %s is a group that has another name, too, or holds itself", s->path, name);
    if (w->n_groups == GROUPS_MOST) FAIL(s->bad, "%s: has more than %d groups", s->path, GROUPS_MOST);
    w->group[w->n_groups++] = address;
    return visit_group(w, name, o);
}

static enum status visit_object(struct walk *w, const char *group, const struct h5_link *link)
{
    struct h5_object o;
    struct h5_dataset d = { 0 };
    TRY(set_name(w->source, &d, group, link->name));
    enum status s = h5_object_read(w->source, d.name, link->address, &o);
    if (!s && is_group(&o)) {
        s = enter_group(w, d.name, link->address, &o);
    } else if (!s) {
        s = h5_facts(w->source, &o, &d);
        if (!s) s = w->visit(w->context, &d);
    }
    h5_object_free(&o);
    return s;
}

static enum status visit_group(struct walk *w, const char *name, const struct h5_object *o)
{
    struct h5_link *links = NULL;
    int n = 0;
    enum status s = h5_links_read(w->source, name[0] != '\0' ? name : root_name, o, &links, &n);
    for (int i = 0; i < n && !s; i++) s = visit_object(w, name, &links[i]); /* as deep as a name of H5_NAME bytes has slashes */
    free(links);
    return s;
}

enum status h5_visit(const struct h5 *f, enum status (*visit)(void *context, const struct h5_dataset *d), void *context)
{
    struct walk *const w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->source = f->source;
    w->visit = visit;
    w->context = context;
    const enum status s = enter_group(w, "", f->source->root_address, &f->source->root);
    free(w);
    return s;
}

/* --- attributes ---------------------------------------------------------------------------------------------------------- */

struct attribute {
    struct h5_bytes type, space, value;
};

/* The parts of an attribute's message, where it has this name. */
static bool read_attribute(struct h5_bytes b, const char *name, struct attribute *out)
{
    enum { VERSION = 3 };
    const bool plain = h5_take(&b, 1) == VERSION && h5_take(&b, 1) == 0; /* neither type nor space shared */
    const size_t name_bytes = (size_t)h5_take(&b, 2), type_bytes = (size_t)h5_take(&b, 2), space_bytes = (size_t)h5_take(&b, 2);
    (void)h5_take(&b, 1);
    const unsigned char *const its_name = h5_take_bytes(&b, name_bytes);
    if (!plain || its_name == NULL || name_bytes != strlen(name) + 1 || memcmp(its_name, name, name_bytes) != 0) return false;
    out->type = (struct h5_bytes){ h5_take_bytes(&b, type_bytes), type_bytes, false };
    out->space = (struct h5_bytes){ h5_take_bytes(&b, space_bytes), space_bytes, false };
    out->value = b;
    return !b.over;
}

static bool find_attribute(const struct h5 *f, const char *name, struct attribute *out)
{
    const struct h5_object *const o = &f->source->root;
    for (int i = 0; i < o->n; i++)
        if (o->message[i].kind == H5_ATTRIBUTE && read_attribute(h5_object_message(o, i), name, out)) return true;
    return false;
}

static enum status open_attribute(const struct h5 *f, const char *name, struct attribute *out)
{
    if (!find_attribute(f, name, out)) FAIL(f->bad, "%s: the attribute %s is missing, or not as Lamina writes it", f->path, name);
    return ST_OK;
}

/* A scalar of exactly this type. */
static enum status get_number(const struct h5 *f, const char *name, enum stored type, void *out)
{
    struct attribute a;
    enum stored found;
    TRY(open_attribute(f, name, &a));
    const unsigned char *const value = h5_take_bytes(&a.value, stored_bytes(type));
    if (!h5_read_type(a.type, &found) || found != type || !h5_is_scalar(a.space) || value == NULL)
        FAIL(f->bad, "%s: the attribute %s is not the number it should be", f->path, name);
    memcpy(out, value, stored_bytes(type));
    return ST_OK;
}

bool h5_has(const struct h5 *f, const char *name)
{
    struct attribute ignored;
    return find_attribute(f, name, &ignored);
}

enum status h5_get_i64(const struct h5 *f, const char *name, int64_t *out) { return get_number(f, name, STORED_I64, out); }
enum status h5_get_f64(const struct h5 *f, const char *name, double *out) { return get_number(f, name, STORED_F64, out); }

enum status h5_get_text(const struct h5 *f, const char *name, char *out, size_t size)
{
    struct attribute a;
    size_t bytes = 0;
    TRY(open_attribute(f, name, &a));
    memset(out, 0, size);
    const unsigned char *const value = h5_read_text_type(a.type, &bytes) && bytes <= size ? h5_take_bytes(&a.value, bytes) : NULL;
    if (value == NULL || !h5_is_scalar(a.space) || memchr(value, '\0', bytes) == NULL)
        FAIL(f->bad, "%s: the attribute %s is not a fixed-length text below %zu bytes", f->path, name, size);
    memcpy(out, value, bytes);
    return ST_OK;
}
