#include "byte_letters.h"
#include "common/base/utf8.h"

static int prints(uint32_t c) { return (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff); }

/* 0..20, 7F..A0, AD */
uint32_t byte_letter(unsigned char byte)
{
    if (prints(byte)) return byte;
    return 0x100u + (byte <= 0x20 ? byte : byte <= 0xa0 ? byte - 0x7fu + 0x21u : 0x43u);
}

int byte_of_letter(uint32_t letter)
{
    if (prints(letter)) return (int)letter;
    if (letter < 0x100 || letter > 0x143) return -1;
    const int i = (int)letter - 0x100;
    return i <= 0x20 ? i : i < 0x43 ? i - 0x21 + 0x7f : 0xad;
}

int64_t byte_letters_read(const char *text, int64_t n, unsigned char *out)
{
    int64_t made = 0;
    for (int64_t i = 0; i < n;) {
        uint32_t letter;
        const size_t length = utf8_read((const unsigned char *)text + i, (size_t)(n - i), &letter);
        const int byte = length > 0 ? byte_of_letter(letter) : -1;
        if (byte < 0) return -1;
        out[made++] = (unsigned char)byte;
        i += (int64_t)length;
    }
    return made;
}
