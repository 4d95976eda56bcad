#include "pack.h"
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
    char *const text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(1));
    text_add(out, "%s\n", text != NULL ? text : "null"); /* null: a path or name that is not UTF-8 */
    free(text);
    json_decref(root);
}

static void print_lines(const struct tokens *t, const struct pack *packing, struct text *out)
{
    char tokens[32], documents[32], bytes[32], vocab[32], hex[DIGEST_HEX];
    text_add_printable(out, t->path, strlen(t->path));
    text_add(out, "\n  tokens     %s (%s), vocabulary %s\n", str_count(tokens, sizeof tokens, t->n_tokens),
             t->dtype == DT_U16 ? "uint16" : "uint32", str_count(vocab, sizeof vocab, t->vocab));
    text_add(out, "  documents  %s, %s bytes of text\n", str_count(documents, sizeof documents, t->n_documents),
             str_count(bytes, sizeof bytes, t->text_bytes));
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
