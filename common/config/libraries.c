#include "common/base/libraries.h"
#include <jansson.h>
#include <stddef.h>
#include <yaml.h>

const char *library_yaml(void) { return yaml_get_version_string(); }
const char *library_jansson(void) { return jansson_version_str(); }
