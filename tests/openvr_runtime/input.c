/* Actions: IVRInput. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"
#include "tables.h"

bool file_has(const char *path, const char *name)
{
    char quoted[TEXT + 3];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    static char text[1 << 16];
    const size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    return strstr(text, quoted) != NULL;
}

int name_index(const char *name)
{
    for (int i = 0; i < rt.name_count; i++)
        if (!strcmp(rt.names[i].name, name)) return i;
    if (rt.name_count == NAMES) abort();
    snprintf(rt.names[rt.name_count].name, TEXT, "%s", name);
    return rt.name_count++;
}

static bool ends_with_type(uint64_t handle, const char *part)
{
    return handle && handle <= (uint64_t)rt.name_count && strstr(rt.names[handle - 1].name, part);
}

static int source_of(uint64_t device)
{
    if (!device || device > (uint64_t)rt.name_count) return 0;
    const char *name = rt.names[device - 1].name;
    return !strcmp(name, "/user/hand/left") ? 1 : !strcmp(name, "/user/hand/right") ? 2 : 0;
}

static uint32_t set_action_manifest_path(const char *path)
{
    if (rt.count.action_updates || rt.count.events_polled) rt.manifest_too_late = true;
    FILE *file = path[0] == '/' ? fopen(path, "rb") : NULL;
    if (!file) return INVALID_PARAM;
    fclose(file);
    snprintf(rt.manifest, TEXT, "%s", path);
    return 0;
}

static uint32_t get_action_handle(const char *name, uint64_t *handle)
{
    *handle = 0;
    if (!file_has(rt.manifest, name)) return NAME_NOT_FOUND;
    *handle = (uint64_t)name_index(name) + 1;
    return 0;
}

static uint32_t get_input_source_handle(const char *path, uint64_t *handle)
{
    *handle = (uint64_t)name_index(path) + 1;
    return 0;
}

/* Hand the tests' pending state over; "any hand" is what both hands make together. */
static uint32_t update_action_state(const ActiveSet *sets, uint32_t size, uint32_t count)
{
    rt.count.action_updates++;
    if (size != sizeof(ActiveSet)) return INVALID_PARAM;
    if (!count) return NO_ACTIVE_SET;
    if (!sets[0].set || sets[0].set > (uint64_t)rt.name_count) return INVALID_HANDLE;
    const bool asleep = rt.inactive_updates > 0;
    rt.inactive_updates -= asleep;
    memcpy(rt.before, rt.current, sizeof rt.before);
    for (int i = 0; i < rt.name_count; i++) {
        Input *any = &rt.current[i][0];
        *any = (Input){0};
        for (int source = 1; source < SOURCES; source++) {
            Input *one = &rt.current[i][source];
            *one = asleep ? (Input){0} : rt.pending[i][source];
            if (!one->active) *one = (Input){0};
            any->active |= one->active;
            any->state |= one->state;
            if (hypotf(one->x, one->y) > hypotf(any->x, any->y)) any->x = one->x, any->y = one->y;
        }
    }
    return 0;
}

static uint32_t get_digital_action_data(uint64_t action, Digital *data, uint32_t size, uint64_t device)
{
    if (size != sizeof(Digital)) return INVALID_PARAM;
    if (!ends_with_type(action, "/in/")) return INVALID_HANDLE;
    const Input *now = &rt.current[action - 1][source_of(device)], *then = &rt.before[action - 1][source_of(device)];
    *data = (Digital){.active = now->active, .state = now->state, .changed = now->state != then->state};
    return 0;
}

static uint32_t get_analog_action_data(uint64_t action, Analog *data, uint32_t size, uint64_t device)
{
    if (size != sizeof(Analog)) return INVALID_PARAM;
    if (!ends_with_type(action, "/in/")) return INVALID_HANDLE;
    const Input *now = &rt.current[action - 1][source_of(device)];
    *data = (Analog){.active = now->active, .x = now->x, .y = now->y};
    return 0;
}

static uint32_t get_pose_action_data_for_next_frame(uint64_t action, uint32_t origin, PoseAction *data, uint32_t size,
                                                    uint64_t device)
{
    (void)origin;
    if (size != sizeof(PoseAction)) return INVALID_PARAM;
    if (!ends_with_type(action, "pose")) return action ? WRONG_TYPE : INVALID_HANDLE;
    const int source = source_of(device); /* the left controller is device 1, the right one device 2 */
    const bool there = source && rt.current[action - 1][source].active && rt.poses[source].connected;
    *data = (PoseAction){.active = there, .pose = rt.poses[source]};
    data->pose.valid &= there;
    return 0;
}

static uint32_t trigger_haptic_vibration_action(uint64_t action, float start, float duration, float frequency,
                                                float amplitude, uint64_t device)
{
    if (!ends_with_type(action, "/out/")) return INVALID_HANDLE;
    if (start < 0 || duration <= 0 || frequency <= 0 || amplitude <= 0 || amplitude > 1) return INVALID_PARAM;
    rt.count.pulses++;
    rt.last_pulse_source = device;
    return 0;
}

TABLE(INPUT, input, "IVRInput")
