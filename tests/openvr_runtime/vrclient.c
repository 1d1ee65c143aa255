/* A SteamVR small enough to read: what the tests plug into the real libopenvr_api.
 *
 * libopenvr_api loads this library as <runtime>/bin/linux64/vrclient.so, asks VRClientCoreFactory for the core,
 * and the core for tables of functions, each made in a file of its own. The tests hold a second handle on the
 * library and, through the functions of control.c, decide what the headset does and read what the program did.
 * Time is virtual: it advances by one vsync at each WaitGetPoses, by rt_advance(), and, as far as rt_set_pace() says,
 * with the real time that the program takes from one WaitGetPoses to the next.
 */
#include <string.h>

#include "runtime.h"

/* The versions before had one function less each: IVRSystem's slot 31 and IVRCompositor's slot 5. */
static void *without(int slot, const Table *table, void **to)
{
    memcpy(to, table->functions, sizeof(void *) * (size_t)slot);
    memcpy(to + slot, table->functions + slot + 1, sizeof(void *) * (size_t)(table->count - slot - 1));
    return to;
}

static void *interface(const char *name)
{
    static void *older_system[TEXT], *older_compositor[TEXT];
    if (!strcmp(name, "IVRSystem_023")) return (void *)system_table.functions;
    if (!strcmp(name, "IVRSystem_022")) return without(31, &system_table, older_system);
    if (!strcmp(name, "IVRCompositor_029")) return (void *)compositor_table.functions;
    if (!strcmp(name, "IVRCompositor_028")) return without(5, &compositor_table, older_compositor);
    if (!strcmp(name, "IVRInput_010")) return (void *)input_table.functions;
    if (!strcmp(name, "IVRTrackedCamera_006")) return (void *)camera_table.functions;
    if (!strcmp(name, "IVRApplications_007")) return (void *)applications_table.functions;
    return NULL;
}

/* The core's functions are C++ methods, so `this` comes first. */

static bool listed(const char *list, const char *name)
{
    return list[0] && strstr(name, list);
}

static int core_init(void *self, int type, const char *info)
{
    (void)self, (void)info;
    const int error = type == BACKGROUND ? rt.background_error : rt.init_error;
    rt.count.inits += !error;
    return error;
}

static void core_cleanup(void *self)
{
    (void)self;
    rt.count.shutdowns++;
}

static int core_is_interface_version_valid(void *self, const char *name)
{
    (void)self;
    return !interface(name) || listed(rt.missing, name) ? INTERFACE_NOT_FOUND : 0;
}

static void *core_get_generic_interface(void *self, const char *name, int *error)
{
    (void)self;
    static const char prefix[] = "FnTable:";
    const bool table = !strncmp(name, prefix, sizeof prefix - 1);
    void *found = table && !listed(rt.broken, name) ? interface(name + sizeof prefix - 1) : NULL;
    if (error) *error = found ? 0 : INTERFACE_NOT_FOUND;
    return found;
}

static bool core_is_hmd_present(void *self)
{
    (void)self;
    return rt.init_error != HMD_NOT_FOUND;
}

static const char *core_english(void *self, int error)
{
    (void)self, (void)error;
    return "an error of the test runtime";
}

static const char *core_symbol(void *self, int error)
{
    (void)self, (void)error;
    return "VRInitError_OfTheTestRuntime";
}

static void *core_methods[] = {core_init, core_cleanup, core_is_interface_version_valid, core_get_generic_interface,
                               core_is_hmd_present, core_english, core_symbol};
static void **core_object = core_methods;

EXPORT void *VRClientCoreFactory(const char *name, int *error)
{
    const bool known = !strcmp(name, "IVRClientCore_003");
    if (error) *error = known ? 0 : INTERFACE_NOT_FOUND;
    return known ? &core_object : NULL;
}
