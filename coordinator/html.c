#include "html.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *entity(char c)
{
    switch (c) {
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '&': return "&amp;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void html_add_bytes(struct text *out, const char *bytes, size_t n)
{
    struct text clean = { 0 };
    size_t done = 0;
    text_add_printable(&clean, bytes, n);
    for (size_t i = 0; i < clean.length; i++) {
        const char *instead = entity(clean.data[i]);
        if (instead == NULL) continue;
        text_add_bytes(out, clean.data + done, i - done);
        text_add_bytes(out, instead, strlen(instead));
        done = i + 1;
    }
    if (clean.length > done) text_add_bytes(out, clean.data + done, clean.length - done);
    text_free(&clean);
}

void html_add(struct text *out, const char *text) { html_add_bytes(out, text, strlen(text)); }

void html_print(struct text *out, const char *format, ...)
{
    char made[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(made, sizeof made, format, args);
    va_end(args);
    html_add(out, made);
}

void html_number(struct text *out, enum html_form form, double value)
{
    char made[64];
    if (!isfinite(value) || fabs(value) > 9e18) {
        text_add(out, "<span class=\"soft\">–</span>");
        return;
    }
    switch (form) {
    case HTML_COUNT: text_add(out, "%s", str_count(made, sizeof made, (int64_t)value)); return;
    case HTML_FIXED2: text_add(out, "%.2f", value); return;
    case HTML_FIXED4: text_add(out, "%.4f", value); return;
    case HTML_RATE: text_add(out, "%.2e", value); return;
    case HTML_PLAIN: text_add(out, "%g", value); return;
    case HTML_PERCENT: text_add(out, "%.0f %%", 100 * value); return;
    case HTML_BYTES: text_add(out, "%s", str_bytes(made, sizeof made, value)); return;
    case HTML_SECONDS: text_add(out, "%s", str_seconds(made, sizeof made, value)); return;
    }
}

void html_cell(struct text *out, enum html_form form, double value)
{
    text_add(out, "<td class=\"n\">");
    html_number(out, form, value);
    text_add(out, "</td>");
}
