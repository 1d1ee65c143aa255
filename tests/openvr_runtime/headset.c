/* The headset and its devices: IVRSystem. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"
#include "tables.h"

State rt;

static const Rows IDENTITY = {{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}};

static void begin_as_a_new_headset(void)
{
    rt.width = 64, rt.height = 72;
    for (int eye = 0; eye < 2; eye++) {
        const float side = eye ? 1 : -1;
        const float outer = 1.4f, inner = 1.2f, up = 1.5f, down = 1.45f;
        rt.tangents[eye][0] = eye ? -inner : -outer, rt.tangents[eye][1] = eye ? outer : inner;
        rt.tangents[eye][2] = -down, rt.tangents[eye][3] = up;
        const float cant = side * -0.1f; /* displays turned outwards, as on an Index */
        rt.eye_to_head[eye] = (Rows){{cosf(cant), 0, sinf(cant), side * 0.032f, 0, 1, 0, 0,
                                      -sinf(cant), 0, cosf(cant), 0.015f}};
    }
    rt.classes[0] = 1;
    rt.activity = ACTIVITY_USED;
    for (int device = 0; device < DEVICES; device++)
        rt.poses[device] = (Pose){.pose = IDENTITY, .result = RUNNING_OK};
    rt.poses[0].valid = rt.poses[0].connected = true;
    rt.period = 1.0 / 90;
    rt.focus = rt.tracked = true;
    rt.inactive_updates = 2;
}

__attribute__((constructor)) static void loaded(void) { begin_as_a_new_headset(); }

static void get_recommended_render_target_size(uint32_t *width, uint32_t *height)
{
    *width = rt.width, *height = rt.height;
}

static void get_projection_raw(uint32_t eye, float *left, float *right, float *top, float *bottom)
{
    const float *t = rt.tangents[eye & 1];
    *left = t[0], *right = t[1], *top = t[2], *bottom = t[3];
}

static Projection get_projection_matrix(uint32_t eye, float near, float far)
{
    const float *t = rt.tangents[eye & 1];
    const float width = t[1] - t[0], height = t[3] - t[2];
    return (Projection){{2 / width, 0, (t[1] + t[0]) / width, 0, 0, 2 / height, (t[3] + t[2]) / height, 0,
                         0, 0, -far / (far - near), -far * near / (far - near), 0, 0, -1, 0}};
}

static Rows get_eye_to_head_transform(uint32_t eye) { return rt.eye_to_head[eye & 1]; }

static bool get_time_since_last_vsync(float *seconds, uint64_t *frame)
{
    *seconds = (float)(virtual_now() - rt.vsync), *frame = rt.frame_number;
    return true;
}

static int32_t get_tracked_device_activity_level(uint32_t device) { return device ? ACTIVITY_UNKNOWN : rt.activity; }

static uint32_t get_tracked_device_class(uint32_t device) { return device < DEVICES ? rt.classes[device] : 0; }

static bool is_tracked_device_connected(uint32_t device) { return device < DEVICES && rt.poses[device].connected; }

static const Property *property(uint32_t device, uint32_t which, uint32_t *error)
{
    static const Property none;
    *error = device < DEVICES && rt.classes[device] ? PROP_UNKNOWN : PROP_INVALID_DEVICE;
    for (int i = 0; i < rt.property_count; i++) {
        const Property *one = &rt.properties[i];
        if (one->device == device && one->property == which) {
            *error = one->error;
            return one->error ? &none : one;
        }
    }
    return &none;
}

#define SCALAR_PROPERTY(name, type)                                                                                  \
    static type name(uint32_t device, uint32_t which, uint32_t *error)                                               \
    {                                                                                                                \
        type value;                                                                                                  \
        memcpy(&value, property(device, which, error)->data, sizeof value);                                          \
        return value;                                                                                                \
    }
SCALAR_PROPERTY(get_bool_tracked_device_property, bool)
SCALAR_PROPERTY(get_float_tracked_device_property, float)
SCALAR_PROPERTY(get_int32_tracked_device_property, int32_t)

static uint32_t get_string_tracked_device_property(uint32_t device, uint32_t which, char *text, uint32_t size,
                                                   uint32_t *error)
{
    const Property *found = property(device, which, error);
    if (*error) return 0;
    if (size < found->length + 1) {
        *error = PROP_TOO_SMALL;
        return found->length + 1;
    }
    memcpy(text, found->data, found->length);
    text[found->length] = 0;
    return found->length + 1;
}

static uint32_t get_array_tracked_device_property(uint32_t device, uint32_t which, uint32_t tag, void *buffer,
                                                  uint32_t size, uint32_t *error)
{
    (void)tag;
    const Property *found = property(device, which, error);
    if (*error) return 0;
    if (!buffer || size < found->length)
        *error = PROP_TOO_SMALL;
    else
        memcpy(buffer, found->data, found->length);
    return found->length;
}

static bool poll_next_event(Event *event, uint32_t size)
{
    rt.count.events_polled++;
    if (!rt.event_count || size != sizeof(Event)) return false;
    *event = rt.events[rt.event_first];
    rt.event_first = (rt.event_first + 1) % EVENTS;
    rt.event_count--;
    return true;
}

static bool should_application_pause(void) { return rt.pause || !rt.first_submit; }
static bool should_application_reduce_rendering_work(void) { return rt.reduce_work; }
static void acknowledge_quit_exiting(void) { rt.count.quits_acknowledged++; }
static const char *get_runtime_version(void) { return "0.0.0 (test runtime)"; }

TABLE(SYSTEM, system, "IVRSystem")
