/* byte_letters.h: the 256 letters by which byte-level vocabularies write bytes: printing characters of Latin-1 stand for themselves, the
 * other 68 bytes, in their order, are U+0100 to U+0143 (so a space is U+0120). Source: GPT-2's bytes_to_unicode. */
#ifndef LAMINA_DATA_TOKENIZERS_BYTE_LETTERS_H
#define LAMINA_DATA_TOKENIZERS_BYTE_LETTERS_H

#include <stdint.h>

uint32_t byte_letter(unsigned char byte);
/* The byte of a letter, or -1. */
int byte_of_letter(uint32_t letter);
/* The bytes that n bytes of letters (UTF-8) stand for: at most n; or -1 where a character is no letter. out may be text. */
int64_t byte_letters_read(const char *text, int64_t n, unsigned char *out);

#endif
