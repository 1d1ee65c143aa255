/* What the tests decide and read; driver.py is its other half. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

EXPORT const Counters *rt_counters(void)
{
    rt.count.header_reads = camera()->header_reads, rt.count.frame_reads = camera()->frame_reads;
    rt.count.camera_opened = camera()->opened, rt.count.camera_closed = camera()->closed;
    return &rt.count;
}

EXPORT void rt_set_init_errors(int scene, int background) { rt.init_error = scene, rt.background_error = background; }

EXPORT void rt_set_interfaces(const char *missing, const char *broken)
{
    snprintf(rt.missing, TEXT, "%s", missing);
    snprintf(rt.broken, TEXT, "%s", broken);
}

EXPORT void rt_set_eye_size(uint32_t width, uint32_t height) { rt.width = width, rt.height = height; }

EXPORT void rt_set_eye(int eye, const float *tangents, const float *to_head)
{
    memcpy(rt.tangents[eye & 1], tangents, sizeof rt.tangents[0]);
    memcpy(&rt.eye_to_head[eye & 1], to_head, sizeof(Rows));
}

/* The pose that the frame-th WaitGetPoses (from 1) gives; frames after the last scripted one keep it. */
EXPORT void rt_script_pose(uint64_t frame, const float *rows)
{
    if (!frame || frame > SCRIPT) abort();
    for (; rt.scripted < frame; rt.scripted++) memcpy(&rt.script[rt.scripted], rows, sizeof(Rows));
    memcpy(&rt.script[frame - 1], rows, sizeof(Rows));
}

EXPORT void rt_get_pose(float *rows) { memcpy(rows, &rt.poses[0].pose, sizeof(Rows)); }
EXPORT void rt_set_tracked(bool tracked) { rt.tracked = tracked; }

EXPORT void rt_set_activity(int32_t level) { rt.activity = level; }

EXPORT void rt_set_device(uint32_t device, uint32_t class, bool connected, const float *rows)
{
    rt.classes[device] = class;
    rt.poses[device].connected = rt.poses[device].valid = connected;
    memcpy(&rt.poses[device].pose, rows, sizeof(Rows));
}

EXPORT void rt_set_property(uint32_t device, uint32_t which, uint32_t error, const void *data, uint32_t length)
{
    int i = 0;
    while (i < rt.property_count && (rt.properties[i].device != device || rt.properties[i].property != which)) i++;
    if (i == PROPERTIES || length > TEXT) abort();
    rt.property_count += i == rt.property_count;
    rt.properties[i] = (Property){.device = device, .property = which, .error = error, .length = length};
    memcpy(rt.properties[i].data, data, length);
}

EXPORT void rt_push_event(uint32_t type, uint32_t device, const void *data, uint32_t length)
{
    if (rt.event_count == EVENTS || length > sizeof rt.events[0].data) abort();
    Event *event = &rt.events[(rt.event_first + rt.event_count++) % EVENTS];
    *event = (Event){.type = type, .device = device};
    memcpy(event->data, data, length);
}

EXPORT void rt_set_refresh(double hz) { rt.period = 1 / hz; }
EXPORT void rt_set_rest(double seconds) { rt.rest = seconds; }
EXPORT double rt_now(void) { return virtual_now(); }
EXPORT void rt_advance(double seconds) { rt.now += seconds; }
EXPORT void rt_set_pace(double pace)
{
    set_clock(virtual_now(), true);
    rt.pace = pace;
}
EXPORT void rt_set_focus(bool focus) { rt.focus = focus; }
EXPORT void rt_set_wishes(bool pause, bool reduce_work) { rt.pause = pause, rt.reduce_work = reduce_work; }
EXPORT void rt_set_read_back(bool read_back) { rt.read_back = read_back; }
EXPORT void rt_fail_next_submit(int error) { rt.next_submit_error = error; }

EXPORT const Submission *rt_submission(uint64_t index)
{
    if (index >= rt.submission_count || rt.submission_count - index > SUBMISSIONS) return NULL;
    return &rt.submissions[index % SUBMISSIONS];
}
EXPORT uint64_t rt_submission_count(void) { return rt.submission_count; }

EXPORT const char *rt_manifest(void) { return rt.manifest; }
EXPORT bool rt_manifest_too_late(void) { return rt.manifest_too_late; }
EXPORT const char *rt_app_manifest(void) { return rt.app_manifest; }
EXPORT bool rt_app_manifest_temporary(void) { return rt.app_manifest_temporary; }
EXPORT const char *rt_app_key(void) { return rt.app_key; }
EXPORT uint32_t rt_app_process(void) { return rt.app_process; }
EXPORT bool rt_identified_too_late(void) { return rt.identified_too_late; }
EXPORT const char *rt_name(int index) { return index < rt.name_count ? rt.names[index].name : NULL; }
EXPORT const char *rt_last_pulse(void)
{
    return rt.last_pulse_source ? rt.names[rt.last_pulse_source - 1].name : "";
}
EXPORT void rt_set_inactive_updates(int updates) { rt.inactive_updates = updates; }

/* An action's state from one hand (1 left, 2 right), as the next UpdateActionState will find it. */
EXPORT void rt_set_input(const char *action, int source, bool active, bool state, float x, float y)
{
    rt.pending[name_index(action)][source] = (Input){active, state, x, y};
}

EXPORT void rt_set_camera(bool there, int empty_reads)
{
    camera()->there = there, camera()->empty_reads = empty_reads;
}

EXPORT void rt_set_camera_focal(float pixels) { camera()->focal = pixels; }
EXPORT void rt_set_camera_trouble(bool crashes, bool hangs) { camera()->crashes = crashes, camera()->hangs = hangs; }
EXPORT uint32_t rt_camera_type(void) { return camera()->type; }
EXPORT uint32_t rt_camera_process(void) { return camera()->process; }

EXPORT void rt_end_camera_stream(void) { camera()->open = false; }

EXPORT void rt_set_camera_frame(const void *pixels, uint32_t width, uint32_t height, uint32_t sequence,
                                const float *head, bool head_valid)
{
    Camera *const it = camera();
    it->filled = width * height * 4;
    if (it->filled > CAMERA_BYTES) abort();
    memcpy(it->pixels, pixels, it->filled);
    it->size[0] = width, it->size[1] = height;
    it->head = (Pose){.result = RUNNING_OK, .valid = head_valid, .connected = true};
    memcpy(&it->head.pose, head, sizeof(Rows));
    it->sequence = sequence; /* last: then it is there */
}

EXPORT int rt_size(const char *structure)
{
    static const struct { const char *name; size_t size; } all[] = {
        {"VREvent_t", sizeof(Event)}, {"TrackedDevicePose_t", sizeof(Pose)},
        {"VRTextureWithPose_t", sizeof(Texture)}, {"Compositor_FrameTiming", sizeof(Timing)},
        {"InputDigitalActionData_t", sizeof(Digital)}, {"InputAnalogActionData_t", sizeof(Analog)},
        {"InputPoseActionData_t", sizeof(PoseAction)}, {"VRActiveActionSet_t", sizeof(ActiveSet)},
        {"CameraVideoStreamFrameHeader_t", sizeof(CameraHeader)}, {"HmdMatrix34_t", sizeof(Rows)},
        {"HmdMatrix44_t", sizeof(Projection)}, {"VRTextureBounds_t", sizeof(Bounds)},
    };
    for (int i = 0; i < COUNT(all); i++)
        if (!strcmp(all[i].name, structure)) return (int)all[i].size;
    return 0;
}

EXPORT const char *rt_slot(const char *table, int slot)
{
    static const Table *const all[] = {&system_table, &compositor_table, &input_table, &camera_table,
                                       &applications_table};
    for (int i = 0; i < COUNT(all); i++)
        if (!strcmp(all[i]->name, table)) return slot < all[i]->count ? all[i]->names[slot] : NULL;
    return NULL;
}
