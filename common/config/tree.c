/* tree.c: libyaml events to nodes, behind a check of the bytes and with limits that keep hostile texts cheap. */
#include "common/config/tree.h"
#include "common/base/check.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* ---- nodes ---- */

struct node *node_new(struct arena *arena, enum node_kind kind, struct place place)
{
    struct node *node = arena_place(arena, sizeof *node);
    *node = (struct node){ .kind = kind, .place = place, .text = "" };
    return node;
}

void node_append(struct node *parent, struct node *child)
{
    child->parent = parent;
    child->next = NULL;
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->n_children++;
}

struct node *node_get(const struct node *map, const char *key)
{
    if (map == NULL || map->kind != NODE_MAP) return NULL;
    for (struct node *child = map->first; child != NULL; child = child->next)
        if (strcmp(child->key, key) == 0) return child;
    return NULL;
}

void node_put(struct node *map, const char *key, struct place key_place, struct node *value)
{
    value->key = key;
    value->key_place = key_place;
    struct node *before = NULL;
    for (struct node *old = map->first; old != NULL; before = old, old = old->next) {
        if (strcmp(old->key, key) != 0) continue;
        value->parent = map;
        value->next = old->next;
        if (before != NULL)
            before->next = value;
        else
            map->first = value;
        if (map->last == old) map->last = value;
        return;
    }
    node_append(map, value);
}

struct node *node_row(const struct node *list, const char *name)
{
    for (struct node *row = list->first; row != NULL; row = row->next) {
        const struct node *own = node_get(row, "name");
        if (own != NULL && own->kind == NODE_SCALAR && strcmp(own->text, name) == 0) return row;
    }
    return NULL;
}

static int index_in_parent(const struct node *node)
{
    int index = 0; /* by place, for node may be a copy that inherited values */
    for (const struct node *other = node->parent->first; other != NULL; other = other->next, index++)
        if (other->place.line == node->place.line && other->place.column == node->place.column) break;
    return index;
}

char *node_path(const struct node *node, char buffer[NODE_PATH_MAX])
{
    buffer[0] = '\0';
    if (node->parent == NULL) return buffer;
    node_path(node->parent, buffer);
    const size_t used = strlen(buffer);
    const char *dot = used > 0 ? "." : "";
    const struct node *name = node_get(node, "name");
    if (node->key != NULL)
        snprintf(buffer + used, NODE_PATH_MAX - used, "%s%s", dot, node->key);
    else if (name != NULL && name->kind == NODE_SCALAR && name->text[0] != '\0')
        snprintf(buffer + used, NODE_PATH_MAX - used, "%s%s", dot, name->text);
    else
        snprintf(buffer + used, NODE_PATH_MAX - used, "[%d]", index_in_parent(node));
    return buffer;
}

const char *node_kind_words(const struct node *node)
{
    static const char *const words[] = { "a single value", "a list", "a map" };
    return words[node->kind];
}

/* ---- bytes ---- */

/* The character at text (n bytes are left) and its length; -1 when the bytes are no UTF-8 (overlong forms and surrogates included). */
static int32_t decode_utf8(const unsigned char *text, size_t n, size_t *length)
{
    static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char lead = text[0];
    *length = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 0;
    if (*length == 0 || *length > n) return -1;
    if (*length == 1) return lead;
    int32_t c = lead & (0x7F >> *length);
    for (size_t i = 1; i < *length; i++) {
        if ((text[i] & 0xC0) != 0x80) return -1;
        c = c << 6 | (text[i] & 0x3F);
    }
    return c < least[*length] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000) ? -1 : c;
}

/* Characters that could hide something from the reader of the text or show it in another order, or that YAML 1.1 takes for line ends and
 * editors do not. */
static bool is_forbidden(int32_t c)
{
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7F && c < 0xA0) || c == 0x200E || c == 0x200F ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF || c == 0xFFFE || c == 0xFFFF;
}

/* Where a byte of the source stands. */
static struct place place_of_byte(const struct source *source, size_t at)
{
    struct place place = { source, 1, 1 };
    for (size_t i = 0; i < at; i++) {
        if (((unsigned char)source->text[i] & 0xC0) != 0x80) place.column++;
        if (source->text[i] == '\n') place = (struct place){ source, place.line + 1, 1 };
    }
    return place;
}

/* True when every byte may be shown to libyaml; else one problem, at the first byte that may not. */
static bool check_bytes(const struct source *source, struct problems *problems)
{
    const unsigned char *text = (const unsigned char *)source->text;
    const size_t n = source->n;
    struct place place = { source, 1, 1 };
    if (n > TREE_MAX_BYTES) {
        problem_add(problems, place_of_byte(source, TREE_MAX_BYTES), "more than 1 MiB of configuration; is this the right file?");
        return false;
    }
    if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        problem_add(problems, place, "the text begins with a byte order mark; save it as UTF-8 without one");
        return false;
    }
    if (n >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0)) {
        problem_add(problems, place, "the text is UTF-16; save it as UTF-8");
        return false;
    }
    for (size_t i = 0, length; i < n; i += length) {
        const int32_t c = decode_utf8(text + i, n - i, &length);
        if (c == 0) {
            problem_add(problems, place, "a NUL byte stands in the text; is this a configuration?");
            return false;
        }
        if (c < 0) {
            problem_add(problems, place, "byte 0x%02X is not UTF-8; save the text as UTF-8", text[i]);
            return false;
        }
        if (is_forbidden(c)) {
            problem_add(problems, place, "the invisible character U+%04X is not allowed; remove it", (unsigned)c);
            return false;
        }
        if (c == '%' && place.column == 1) { /* before libyaml sees it: a megabyte of directives takes it ten seconds */
            problem_add(problems, place, "YAML directives are not used here; remove the line");
            return false;
        }
        if (c == '\r' && (i + 1 == n || text[i + 1] != '\n')) {
            problem_add(problems, place, "a carriage return without a line feed; end lines with LF or CR LF");
            return false;
        }
        place.column++;
        if (c == '\n') place = (struct place){ source, place.line + 1, 1 };
    }
    return true;
}

/* ---- events ---- */

struct reader {
    yaml_parser_t parser;
    const struct source *source;
    size_t begin;      /* of the YAML in the source, in bytes */
    int first_column;  /* characters of the first line that stand before the text (the key path of an override) */
    struct place open; /* the innermost [ or { that is being read; line 0: none */
    int n_values;      /* read so far, keys too */
    struct arena *arena;
    struct problems *problems;
};

static struct place place_of(const struct reader *reader, yaml_mark_t mark)
{
    const int before = mark.line == 0 ? reader->first_column : 0;
    return (struct place){ reader->source, (int)mark.line + 1, (int)mark.column + 1 + before };
}

/* The byte that a mark stands at, or n at the end of the text; an index of libyaml counts characters, not bytes. */
static size_t byte_of(const struct reader *reader, yaml_mark_t mark)
{
    const char *const text = reader->source->text;
    size_t at = reader->begin;
    for (size_t index = mark.index; at < reader->source->n && index > 0; index--) do
            at++;
        while (at < reader->source->n && ((unsigned char)text[at] & 0xC0) == 0x80);
    return at;
}

/* Where the text stops saying anything: behind its last visible character. */
static struct place end_of_text(const struct reader *reader)
{
    size_t at = reader->source->n;
    while (at > reader->begin && strchr(" \t\r\n", reader->source->text[at - 1]) != NULL) at--;
    return place_of_byte(reader->source, at);
}

/* What is missing at the end of the text is told where it would have been needed: where the quote, the list or the map begins. */
static void tell_end(struct reader *reader, const char *context)
{
    const yaml_parser_t *parser = &reader->parser;
    if (parser->context != NULL && byte_of(reader, parser->context_mark) < reader->source->n)
        problem_add(reader->problems, place_of(reader, parser->context_mark), "%s that does not end: %s", context, parser->problem);
    else if (reader->open.line > 0)
        problem_add(reader->problems, reader->open, "this does not end: %s", parser->problem);
    else
        problem_add(reader->problems, end_of_text(reader), "%s: %s", context, parser->problem);
}

static void tell_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    CHECK(parser->error != YAML_MEMORY_ERROR && parser->problem != NULL);
    const struct place place = place_of(reader, parser->problem_mark);
    const char *context = parser->context != NULL ? parser->context : "in the text";
    const size_t at = byte_of(reader, parser->problem_mark);
    if (at == reader->source->n)
        tell_end(reader, context);
    else if (reader->source->text[at] == '\t')
        problem_add(reader->problems, place, "a tab cannot stand here; indent with spaces");
    else if (parser->context != NULL && parser->context_mark.line != parser->problem_mark.line)
        problem_add(reader->problems, place, "%s that began in line %d: %s", context, (int)parser->context_mark.line + 1, parser->problem);
    else
        problem_add(reader->problems, place, "%s: %s", context, parser->problem);
}

static bool next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event)) return true;
    tell_syntax(reader);
    return false;
}

/* Anchors and tags change what a text means without showing it; the value below them is read all the same. */
static void tell_properties(struct reader *reader, struct place place, const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL) problem_add(reader->problems, place, "anchor '&%s': anchors are not used here; write the value out", anchor);
    if (tag != NULL) problem_add(reader->problems, place, "tag '%s': tags are not used here; each key knows its type", tag);
}

static struct node *read_node(struct reader *reader, const yaml_event_t *event, int depth);

static struct node *read_scalar(struct reader *reader, const yaml_event_t *event, struct place place)
{
    struct node *node = node_new(reader->arena, NODE_SCALAR, place);
    const yaml_char_t *value = event->data.scalar.value;
    const size_t n = event->data.scalar.length;
    tell_properties(reader, place, event->data.scalar.anchor, event->data.scalar.tag);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    for (size_t i = 0, length; i < n; i += length) { /* an escape in quotes can say what the text may not hold */
        const int32_t c = decode_utf8(value + i, n - i, &length);
        if (c >= 0x20 && !is_forbidden(c)) continue;
        if (c < 0x80)
            problem_add(reader->problems, place, "the value contains the control character 0x%02X%s", value[i],
                        c == '\n' ? "; write it in one line" : "");
        else
            problem_add(reader->problems, place, "the value contains the invisible character U+%04X", (unsigned)c);
        node->bad = true;
        return node;
    }
    node->text = arena_strdup(reader->arena, (const char *)value);
    return node;
}

/* One key and its value. A key that cannot serve is told and its value read over. Returns false to stop. */
static bool read_pair(struct reader *reader, const yaml_event_t *key_event, struct node *map, int depth)
{
    struct node *key = read_node(reader, key_event, depth);
    yaml_event_t event;
    if (key == NULL || !next_event(reader, &event)) return false;
    struct node *value = read_node(reader, &event, depth);
    yaml_event_delete(&event);
    if (value == NULL) return false;
    if (key->bad) return true;
    if (key->kind != NODE_SCALAR || key->text[0] == '\0') {
        problem_add(reader->problems, key->place, "a key must be a word, not %s",
                    key->kind == NODE_SCALAR ? "empty" : node_kind_words(key));
        return true;
    }
    const struct node *first = node_get(map, key->text);
    if (first != NULL)
        problem_add(reader->problems, key->place, "'%s' is given twice; it stands already in line %d", key->text, first->key_place.line);
    else
        node_put(map, key->text, key->place, value);
    return true;
}

/* What stands between the start and the end of a list or map. */
static bool read_children(struct reader *reader, struct node *parent, int depth)
{
    for (bool more = true, fine = true;;) {
        yaml_event_t event;
        if (!next_event(reader, &event)) return false;
        more = event.type != YAML_SEQUENCE_END_EVENT && event.type != YAML_MAPPING_END_EVENT;
        if (more && parent->n_children == TREE_MAX_CHILDREN) {
            problem_add(reader->problems, place_of(reader, event.start_mark), "more than %d values in one %s", TREE_MAX_CHILDREN,
                        parent->kind == NODE_MAP ? "map" : "list");
            fine = false;
        } else if (more && parent->kind == NODE_MAP) {
            fine = read_pair(reader, &event, parent, depth);
        } else if (more) {
            struct node *row = read_node(reader, &event, depth);
            if (row != NULL) node_append(parent, row);
            fine = row != NULL;
        }
        yaml_event_delete(&event);
        if (!more || !fine) return fine;
    }
}

/* The node that begins with event; NULL after a problem that ends the reading. */
static struct node *read_node(struct reader *reader, const yaml_event_t *event, int depth)
{
    const struct place place = place_of(reader, event->start_mark);
    struct node *node;
    bool flow = false;
    if (reader->n_values++ == TREE_MAX_VALUES) {
        problem_add(reader->problems, place, "more than %d keys and values; is this the right file?", TREE_MAX_VALUES);
        return NULL;
    }
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        problem_add(reader->problems, place, "alias '*%s': aliases are not used here; write the value out", event->data.alias.anchor);
        node = node_new(reader->arena, NODE_SCALAR, place);
        node->bad = true;
        return node;
    case YAML_SCALAR_EVENT: return read_scalar(reader, event, place);
    case YAML_SEQUENCE_START_EVENT:
        node = node_new(reader->arena, NODE_LIST, place);
        tell_properties(reader, place, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        flow = event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
        break;
    default:
        CHECK(event->type == YAML_MAPPING_START_EVENT);
        node = node_new(reader->arena, NODE_MAP, place);
        tell_properties(reader, place, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
        break;
    }
    if (depth == TREE_MAX_DEPTH) {
        problem_add(reader->problems, place, "more than %d lists and maps stand inside each other", TREE_MAX_DEPTH);
        return NULL;
    }
    const struct place around = reader->open;
    if (flow) reader->open = place;
    const bool fine = read_children(reader, node, depth + 1);
    reader->open = around;
    return fine ? node : NULL;
}

/* The only document of the stream. */
static struct node *read_document(struct reader *reader)
{
    struct node *root = NULL;
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!next_event(reader, &event)) return NULL;
        const struct place place = place_of(reader, event.start_mark);
        bool fine = true;
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT: break;
        case YAML_STREAM_END_EVENT: more = false; break;
        case YAML_DOCUMENT_START_EVENT:
            if (event.data.document_start.version_directive != NULL ||
                event.data.document_start.tag_directives.start != event.data.document_start.tag_directives.end)
                problem_add(reader->problems, place, "YAML directives are not used here; remove the line");
            if (root == NULL) break;
            problem_add(reader->problems, place, "a second document begins here; a configuration is one document");
            more = false; /* what follows is not ours */
            break;
        default: root = read_node(reader, &event, 0); fine = root != NULL;
        }
        yaml_event_delete(&event);
        if (!fine) return NULL;
    }
    return root != NULL ? root : node_new(reader->arena, NODE_SCALAR, (struct place){ reader->source, 1, reader->first_column + 1 });
}

struct node *tree_read(const struct source *source, size_t begin, struct arena *arena, struct problems *problems)
{
    if (!check_bytes(source, problems)) return NULL;
    struct reader reader = { .source = source, .begin = begin, .arena = arena, .problems = problems };
    for (size_t i = 0; i < begin; i++) reader.first_column += ((unsigned char)source->text[i] & 0xC0) != 0x80;
    CHECK(yaml_parser_initialize(&reader.parser));
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)source->text + begin, source->n - begin);
    struct node *root = read_document(&reader);
    yaml_parser_delete(&reader.parser);
    return root;
}
