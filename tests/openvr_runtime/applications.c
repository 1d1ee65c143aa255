/* The library of programs: IVRApplications. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime.h"
#include "tables.h"

static uint32_t add_application_manifest(const char *path, bool temporary)
{
    snprintf(rt.app_manifest, TEXT, "%s", path);
    rt.app_manifest_temporary = temporary;
    return 0;
}

/* The key must stand, between quotes, in the manifest that was added. */
static uint32_t identify_application(uint32_t process, const char *key)
{
    if (rt.manifest[0]) rt.identified_too_late = true;
    if (!file_has(rt.app_manifest, key)) return UNKNOWN_APPLICATION;
    rt.app_process = process;
    snprintf(rt.app_key, TEXT, "%s", key);
    return 0;
}

TABLE(APPLICATIONS, applications, "IVRApplications")
