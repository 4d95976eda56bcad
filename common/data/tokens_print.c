#define LAMINA_DATA
#include "common/base/check.h"
#include "pack.h"
#include "private.h"
#include "tokens.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *number_or_null(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static void print_json(const struct tokens *t, const struct pack *packing, struct text *out)
{
    char tokenizer[DIGEST_HEX], content[DIGEST_HEX];
    json_t *const root =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:o, s:o}", "path", t->path, "tokens", (json_int_t)t->n_tokens,
                  "documents", (json_int_t)t->n_documents, "text_bytes", (json_int_t)t->text_bytes, "vocab", (json_int_t)t->vocab, "dtype",
                  t->dtype == DT_U16 ? "uint16" : "uint32", "tokenizer", t->tokenizer, "tokenizer_digest",
                  digest_hex(t->tokenizer_digest, tokenizer), "content_digest", digest_hex(t->content_digest, content), "entropy0",
                  number_or_null(t->entropy0), "entropy1", number_or_null(t->entropy1));
    if (root != NULL && packing != NULL) (void)json_object_set_new(root, "packing", pack_json(packing));
    if (root != NULL) (void)json_object_set_new(root, "end_of_document", json_integer(t->end_of_document));
    for (const struct token_report_row *row = token_report_rows; row->name != NULL && root != NULL; row++) {
        int64_t value;
        memcpy(&value, (const char *)&t->report + row->offset, sizeof value);
        (void)json_object_set_new(root, row->name, value >= 0 ? json_integer((json_int_t)value) : json_null());
    }
    char *const text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1));
    text_add(out, "%s\n", text != NULL ? text : "null"); /* null: a path or name that is not UTF-8 */
    free(text);
    json_decref(root);
}

/* What is not worth a line is left out: nothing unusual, or unknown. */
static void print_report(const struct token_report *r, struct text *out)
{
    char a[32], b[32];
    if (r->longest_tokens > 0)
        text_add(out, "             the longest has %s tokens, %s bytes\n", str_count(a, sizeof a, r->longest_tokens),
                 str_count(b, sizeof b, r->longest_bytes));
    if (r->duplicate_documents > 0)
        text_add(out, "             %s (%s bytes) have a text that came before\n", str_count(a, sizeof a, r->duplicate_documents),
                 str_count(b, sizeof b, r->duplicate_bytes));
    if (r->bad_utf8 > 0)
        text_add(out, "             %s places in %s are not UTF-8\n", str_count(a, sizeof a, r->bad_utf8),
                 str_count(b, sizeof b, r->bad_utf8_documents));
    if (r->empty_documents > 0 || r->skipped_records > 0)
        text_add(out, "             left out by the build: %s empty ones, %s records without text\n",
                 str_count(a, sizeof a, max_i64(0, r->empty_documents)), str_count(b, sizeof b, max_i64(0, r->skipped_records)));
}

static void print_lines(const struct tokens *t, const struct pack *packing, struct text *out)
{
    char tokens[32], documents[32], bytes[32], vocab[32], hex[DIGEST_HEX];
    text_add_printable(out, t->path, strlen(t->path));
    text_add(out, "\n  tokens     %s (%s), vocabulary %s\n", str_count(tokens, sizeof tokens, t->n_tokens),
             t->dtype == DT_U16 ? "uint16" : "uint32", str_count(vocab, sizeof vocab, t->vocab));
    text_add(out, "  documents  %s, %s bytes of text", str_count(documents, sizeof documents, t->n_documents),
             str_count(bytes, sizeof bytes, t->text_bytes));
    /* the end marks are no part of the text */
    if (t->n_tokens > t->n_documents)
        text_add(out, ", %.3f bytes per token", (double)t->text_bytes / (double)(t->n_tokens - t->n_documents));
    text_add(out, "; token %d ends each\n", t->end_of_document);
    print_report(&t->report, out);
    text_add(out, "  tokenizer  ");
    text_add_printable(out, t->tokenizer, strlen(t->tokenizer));
    text_add(out, " (digest %s)\n", digest_hex(t->tokenizer_digest, hex));
    text_add(out, "  content    %s\n", digest_hex(t->content_digest, hex));
    if (isfinite(t->entropy0))
        text_add(out, "  byte counts predict it with %.2f (order 0) and %.2f (order 1) bits per byte\n", t->entropy0, t->entropy1);
    if (packing == NULL) return;
    text_add(out, "  packed     ");
    pack_print(packing, out);
}

void tokens_print(const struct tokens *t, const struct pack *packing, bool json, struct text *out)
{
    if (json)
        print_json(t, packing, out);
    else
        print_lines(t, packing, out);
}
