#include "describe.h"

const char *role_name(enum role role)
{
    static const char *const names[] = {
#define ROLE_TEXT(name, text) text,
        ROLE_LIST(ROLE_TEXT)
#undef ROLE_TEXT
    };
    return names[role];
}
