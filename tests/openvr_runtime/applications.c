/* The library of programs: IVRApplications. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime.h"
#include "tables.h"

static uint32_t add_application_manifest(const char *path, bool temporary)
{
    (void)temporary;
    rt.count.manifests_added++;
    snprintf(rt.app_manifest, TEXT, "%s", path);
    return 0;
}

static uint32_t remove_application_manifest(const char *path)
{
    (void)path;
    rt.count.manifests_removed++;
    return 0;
}

TABLE(APPLICATIONS, applications, "IVRApplications")
