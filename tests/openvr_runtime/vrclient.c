/* A SteamVR that lives in one file: what the tests plug into the real libopenvr_api.
 *
 * libopenvr_api loads this library as <runtime>/bin/linux64/vrclient.so, asks VRClientCoreFactory for the core,
 * and the core for tables of functions. The tests hold a second handle on the library and, through the functions
 * named rt_*, decide what the headset does and read what the program did. Time is virtual: it advances by one
 * vsync at each WaitGetPoses, and by rt_advance(). One thread at a time, except for the camera's functions.
 *
 * The declarations are our own, written from the documented behaviour; tests/vr/test_runtime_tables.py compares
 * their order with the structures of the installed openvr package.
 */
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define DEVICES 64 /* of OpenVR */
#define NAMES 64
#define SOURCES 3 /* any hand, left, right */
#define EVENTS 256
#define PROPERTIES 256
#define SCRIPT 8192
#define SUBMISSIONS 4096
#define TEXT 512

/* ---- what OpenVR's functions take and give ------------------------------------------------------------------ */

typedef struct { float m[12]; } Rows;       /* three rows of four */
typedef struct { float m[16]; } Projection; /* four rows of four */

typedef struct {
    Rows pose;
    float velocity[3], turning[3];
    uint32_t result;
    uint8_t valid, connected;
} Pose;

typedef struct __attribute__((packed, aligned(4))) {
    uint32_t type, device;
    float age;
    uint8_t data[48];
} Event;

typedef struct {
    void *handle;
    uint32_t type, color_space;
    Rows pose; /* only where the flag says so */
} Texture;

typedef struct { float u_min, v_min, u_max, v_max; } Bounds;

typedef struct {
    uint32_t size, frame, presents, mispresents, dropped, reprojection;
    double system_time;
    float milliseconds[16];
    Pose head;
    uint32_t ready, first_view;
    float transfer;
} Timing;

typedef struct {
    uint8_t active;
    uint64_t origin;
    uint8_t state, changed;
    float updated;
} Digital;

typedef struct {
    uint8_t active;
    uint64_t origin;
    float x, y, z, dx, dy, dz, updated;
} Analog;

typedef struct {
    uint8_t active;
    uint64_t origin;
    Pose pose;
} PoseAction;

typedef struct {
    uint64_t set, device, secondary;
    uint32_t padding;
    int32_t priority;
} ActiveSet;

typedef struct {
    uint32_t type, width, height, bytes_per_pixel, sequence;
    Pose head;
    uint64_t exposure;
} CameraHeader;

enum { RUNNING_OK = 200, RUNNING_OUT_OF_RANGE = 201 };
enum { HMD_NOT_FOUND = 108, INTERFACE_NOT_FOUND = 105, NO_SERVER = 121, BACKGROUND = 3 };
enum { PROP_OK = 0, PROP_TOO_SMALL = 3, PROP_UNKNOWN = 4, PROP_INVALID_DEVICE = 5 };
enum { NO_FOCUS = 101, INVALID_TEXTURE = 102, UNSUPPORTED_FORMAT = 105, ALREADY_SUBMITTED = 108 };
enum { NAME_NOT_FOUND = 1, WRONG_TYPE = 2, INVALID_HANDLE = 3, INVALID_PARAM = 4, NO_ACTIVE_SET = 8 };
enum { CAMERA_BAD_HANDLE = 101, CAMERA_BAD_HEADER = 102, CAMERA_NOT_HERE = 105, CAMERA_NO_FRAME = 113,
       CAMERA_BAD_SIZE = 115 };
enum { OPENGL = 1, WITH_POSE = 8 };

/* ---- what the tests set and read (tests/openvr_runtime/driver.py mirrors these two) ------------------------- */

typedef struct {
    uint64_t inits, shutdowns, waits, submits, handoffs, quits_acknowledged, action_updates, pulses, header_reads,
        frame_reads, camera_opened, camera_closed, vsyncs_missed, vsyncs_without_submit, manifests_added,
        manifests_removed, events_polled;
} Counters;

typedef struct {
    uint64_t frame; /* which WaitGetPoses it belongs to, from 1 */
    uint32_t eye, texture, width, height, flags, color_space, format, error;
    Rows pose; /* the pose the compositor works with: the submitted one, else the one given */
    uint8_t *pixels; /* width x height RGBA, bottom row first */
} Submission;

typedef struct { uint32_t device, property, error, length; uint8_t data[TEXT]; } Property;
typedef struct { char name[TEXT]; } Name;
typedef struct { bool active, state; float x, y; } Input;

static struct {
    Counters count;
    int init_error, background_error;
    char missing[TEXT], broken[TEXT]; /* names of interfaces, or parts of names */

    uint32_t width, height;
    float tangents[2][4]; /* left, right, top, bottom: OpenVR's top is the smaller one */
    Rows eye_to_head[2];
    Rows script[SCRIPT];
    uint64_t scripted;
    Pose poses[DEVICES];
    uint32_t classes[DEVICES];
    Property properties[PROPERTIES];
    int property_count;

    double now, period, vsync;
    double rest; /* real seconds that WaitGetPoses sleeps, so that other threads get their turn */
    double begun;      /* the vsync at which the frame in work began */
    uint32_t frame_number, dropped;
    uint64_t first_submit, frame_submits;
    bool focus, pause, reduce_work, tracked;
    bool eye_submitted[2];
    int next_submit_error;
    bool read_back;
    Submission submissions[SUBMISSIONS];
    uint64_t submission_count;

    Event events[EVENTS];
    int event_first, event_count;

    char manifest[TEXT], app_manifest[TEXT];
    bool manifest_too_late;
    Name names[NAMES]; /* a handle is an index plus one */
    int name_count;
    Input pending[NAMES][SOURCES], current[NAMES][SOURCES], before[NAMES][SOURCES];
    int inactive_updates; /* how many more UpdateActionState find the controllers asleep */
    uint64_t last_pulse_source;

    bool camera, camera_open, camera_standing;
    int camera_empty_reads;
    uint32_t camera_size[2], camera_sequence;
    Pose camera_head;
    uint8_t *camera_pixels;
} rt;

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
    for (int device = 0; device < DEVICES; device++)
        rt.poses[device] = (Pose){.pose = IDENTITY, .result = RUNNING_OK};
    rt.poses[0].valid = rt.poses[0].connected = true;
    rt.period = 1.0 / 90;
    rt.focus = rt.tracked = true;
    rt.inactive_updates = 2;
}

__attribute__((constructor)) static void loaded(void) { begin_as_a_new_headset(); }

/* ---- IVRSystem ---------------------------------------------------------------------------------------------- */

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
    *seconds = (float)(rt.now - rt.vsync), *frame = rt.frame_number;
    return true;
}

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

/* ---- IVRCompositor ------------------------------------------------------------------------------------------ */

static void set_tracking_space(uint32_t origin) { (void)origin; }

/* The next vsync, or the first one that a late program can still reach. */
static uint32_t wait_get_poses(Pose *render, uint32_t render_count, Pose *game, uint32_t game_count)
{
    const double period = rt.focus ? rt.period : 0.1;
    if (!rt.count.waits) rt.begun = rt.now; /* the past before the first frame was nobody's */
    else {
        const double late = ceil((rt.now - rt.begun) / period - 1e-6);
        const uint32_t turns = late < 1 ? 1 : (uint32_t)late;
        rt.begun += turns * period;
        rt.now = rt.now > rt.begun ? rt.now : rt.begun;
        rt.dropped = turns - 1;
        rt.frame_number += turns;
        rt.count.vsyncs_missed += turns - 1;
        if (rt.focus && !(rt.eye_submitted[0] && rt.eye_submitted[1])) rt.count.vsyncs_without_submit++;
    }
    if (rt.rest > 0)
        nanosleep(&(struct timespec){(time_t)rt.rest, (long)(fmod(rt.rest, 1) * 1e9)}, NULL);
    rt.vsync = rt.begun;
    rt.count.waits++;
    rt.eye_submitted[0] = rt.eye_submitted[1] = false;
    if (!rt.focus) return NO_FOCUS;
    if (rt.count.waits <= rt.scripted) rt.poses[0].pose = rt.script[rt.count.waits - 1];
    rt.poses[0].valid = rt.tracked;
    rt.poses[0].result = rt.tracked ? RUNNING_OK : RUNNING_OUT_OF_RANGE;
    for (uint32_t i = 0; render && i < render_count && i < DEVICES; i++) render[i] = rt.poses[i];
    for (uint32_t i = 0; game && i < game_count && i < DEVICES; i++) game[i] = rt.poses[i];
    return 0;
}

/* OpenGL, as far as a compositor must read what it was given. */
enum { GL_TEXTURE_2D = 0x0DE1, GL_TEXTURE_BINDING_2D = 0x8069, GL_TEXTURE_WIDTH = 0x1000, GL_TEXTURE_HEIGHT = 0x1001,
       GL_TEXTURE_INTERNAL_FORMAT = 0x1003, GL_RGBA = 0x1908, GL_UNSIGNED_BYTE = 0x1401, GL_PIXEL_PACK_BUFFER = 0x88EB,
       GL_PIXEL_PACK_BUFFER_BINDING = 0x88ED, GL_PACK_ALIGNMENT = 0x0D05, GL_PACK_ROW_LENGTH = 0x0D02 };

static struct {
    void (*get_integer)(unsigned, int *);
    void (*bind_texture)(unsigned, unsigned);
    void (*bind_buffer)(unsigned, unsigned);
    void (*pixel_store)(unsigned, int);
    void (*level_parameter)(unsigned, int, unsigned, int *);
    void (*get_image)(unsigned, int, unsigned, unsigned, void *);
    unsigned char (*is_texture)(unsigned);
} gl;

static void *gl_function(void *library, const char *name)
{
    void *(*by_name)(const char *) = (void *(*)(const char *))dlsym(library, "glXGetProcAddressARB");
    void *function = dlsym(library, name);
    if (!function && by_name) function = by_name(name);
    if (!function) {
        fprintf(stderr, "test runtime: OpenGL has no %s\n", name);
        abort();
    }
    return function;
}

static void find_gl(void)
{
    if (gl.get_integer) return;
    void *library = dlopen("libGL.so.1", RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
        fprintf(stderr, "test runtime: %s\n", dlerror());
        abort();
    }
    *(void **)&gl.get_integer = gl_function(library, "glGetIntegerv");
    *(void **)&gl.bind_texture = gl_function(library, "glBindTexture");
    *(void **)&gl.bind_buffer = gl_function(library, "glBindBuffer");
    *(void **)&gl.pixel_store = gl_function(library, "glPixelStorei");
    *(void **)&gl.level_parameter = gl_function(library, "glGetTexLevelParameteriv");
    *(void **)&gl.get_image = gl_function(library, "glGetTexImage");
    *(void **)&gl.is_texture = gl_function(library, "glIsTexture");
}

/* Copies the texture's pixels, leaving the bindings as they were: a bound pixel buffer would swallow the picture. */
static uint32_t read_texture(Submission *to)
{
    find_gl();
    if (!gl.is_texture(to->texture)) return INVALID_TEXTURE;
    int texture, buffer, alignment, row_length, width = 0, height = 0, format = 0;
    gl.get_integer(GL_TEXTURE_BINDING_2D, &texture);
    gl.get_integer(GL_PIXEL_PACK_BUFFER_BINDING, &buffer);
    gl.get_integer(GL_PACK_ALIGNMENT, &alignment);
    gl.get_integer(GL_PACK_ROW_LENGTH, &row_length);
    gl.bind_buffer(GL_PIXEL_PACK_BUFFER, 0);
    gl.pixel_store(GL_PACK_ALIGNMENT, 1);
    gl.pixel_store(GL_PACK_ROW_LENGTH, 0);
    gl.bind_texture(GL_TEXTURE_2D, to->texture);
    gl.level_parameter(GL_TEXTURE_2D, 0, GL_TEXTURE_WIDTH, &width);
    gl.level_parameter(GL_TEXTURE_2D, 0, GL_TEXTURE_HEIGHT, &height);
    gl.level_parameter(GL_TEXTURE_2D, 0, GL_TEXTURE_INTERNAL_FORMAT, &format);
    to->width = (uint32_t)width, to->height = (uint32_t)height, to->format = (uint32_t)format;
    if (width > 0 && height > 0) {
        to->pixels = malloc((size_t)width * (size_t)height * 4);
        gl.get_image(GL_TEXTURE_2D, 0, GL_RGBA, GL_UNSIGNED_BYTE, to->pixels);
    }
    gl.bind_texture(GL_TEXTURE_2D, (unsigned)texture);
    gl.pixel_store(GL_PACK_ALIGNMENT, alignment);
    gl.pixel_store(GL_PACK_ROW_LENGTH, row_length);
    gl.bind_buffer(GL_PIXEL_PACK_BUFFER, (unsigned)buffer);
    if (!to->pixels) return INVALID_TEXTURE;
    const int rgba8 = 0x8058, srgb8_alpha8 = 0x8C43;
    return format == rgba8 || format == srgb8_alpha8 ? 0 : UNSUPPORTED_FORMAT;
}

static uint32_t judge(uint32_t eye, const Texture *texture, Submission *record)
{
    if (rt.next_submit_error) {
        const uint32_t error = (uint32_t)rt.next_submit_error;
        rt.next_submit_error = 0;
        return error;
    }
    if (!rt.focus) return NO_FOCUS;
    if (texture->type != OPENGL || eye > 1) return INVALID_TEXTURE;
    if (rt.eye_submitted[eye]) return ALREADY_SUBMITTED;
    return rt.read_back ? read_texture(record) : 0;
}

static uint32_t submit(uint32_t eye, const Texture *texture, const Bounds *bounds, uint32_t flags)
{
    (void)bounds;
    rt.count.submits++;
    Submission *record = &rt.submissions[rt.submission_count % SUBMISSIONS];
    free(record->pixels);
    *record = (Submission){.frame = rt.count.waits, .eye = eye, .flags = flags, .color_space = texture->color_space,
                           .texture = (uint32_t)(uintptr_t)texture->handle,
                           .pose = flags & WITH_POSE ? texture->pose : rt.poses[0].pose};
    record->error = judge(eye, texture, record);
    rt.submission_count++;
    if (!record->error) {
        rt.eye_submitted[eye] = true;
        rt.first_submit = rt.first_submit ? rt.first_submit : rt.count.waits;
    }
    return record->error;
}

static void post_present_handoff(void) { rt.count.handoffs++; }

static bool get_frame_timing(Timing *timing, uint32_t frames_ago)
{
    if (timing->size != sizeof(Timing) || frames_ago || !rt.count.waits) return false;
    *timing = (Timing){.size = sizeof(Timing), .frame = rt.frame_number, .presents = 1, .dropped = rt.dropped,
                       .system_time = rt.vsync, .head = rt.poses[0]};
    return true;
}

static bool can_render_scene(void) { return rt.focus; }

/* ---- IVRInput ----------------------------------------------------------------------------------------------- */

/* A name is known when the manifest has it, between quotes. */
static bool manifest_has(const char *name)
{
    char quoted[TEXT + 3];
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    FILE *file = fopen(rt.manifest, "rb");
    if (!file) return false;
    static char text[1 << 16];
    const size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    return strstr(text, quoted) != NULL;
}

static int name_index(const char *name)
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
    if (!manifest_has(name)) return NAME_NOT_FOUND;
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

/* ---- IVRTrackedCamera --------------------------------------------------------------------------------------- */

static uint32_t has_camera(uint32_t device, bool *has)
{
    *has = device == 0 && rt.camera;
    return 0;
}

static uint32_t get_camera_frame_size(uint32_t device, uint32_t type, uint32_t *width, uint32_t *height, uint32_t *size)
{
    (void)type;
    if (device || !rt.camera) return CAMERA_NOT_HERE;
    *width = rt.camera_size[0], *height = rt.camera_size[1], *size = *width * *height * 4;
    return 0;
}

static uint32_t acquire_video_streaming_service(uint32_t device, uint64_t *handle)
{
    *handle = 0;
    if (device || !rt.camera) return CAMERA_NOT_HERE;
    rt.count.camera_opened++;
    rt.camera_open = true;
    *handle = 77;
    return 0;
}

static uint32_t release_video_streaming_service(uint64_t handle)
{
    if (handle != 77 || !rt.camera_open) return CAMERA_BAD_HANDLE;
    rt.camera_open = false;
    rt.count.camera_closed++;
    return 0;
}

static uint32_t get_video_stream_frame_buffer(uint64_t handle, uint32_t type, void *buffer, uint32_t size,
                                              CameraHeader *header, uint32_t header_size)
{
    if (handle != 77 || !rt.camera_open) return CAMERA_BAD_HANDLE;
    if (header && header_size != sizeof(CameraHeader)) return CAMERA_BAD_HEADER;
    const uint32_t bytes = rt.camera_size[0] * rt.camera_size[1] * 4;
    if (buffer) rt.count.frame_reads++; else rt.count.header_reads++;
    if (rt.camera_empty_reads > 0) rt.camera_empty_reads--;
    else if (rt.camera_pixels) {
        if (buffer && size < bytes) return CAMERA_BAD_SIZE;
        if (buffer) memcpy(buffer, rt.camera_pixels, bytes);
        if (header)
            *header = (CameraHeader){.type = type, .width = rt.camera_size[0], .height = rt.camera_size[1],
                                     .bytes_per_pixel = 4, .sequence = rt.camera_sequence, .head = rt.camera_head};
        if (header) header->head.valid &= rt.camera_standing; /* else it would be a pose in another space */
        return 0;
    }
    return CAMERA_NO_FRAME;
}

static void set_camera_tracking_space(uint32_t origin) { rt.camera_standing = origin == 1; }

/* ---- IVRApplications ---------------------------------------------------------------------------------------- */

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

/* ---- the tables --------------------------------------------------------------------------------------------- */

#include "tables.h"

static void *older_system[COUNT(system_table)], *older_compositor[COUNT(compositor_table)];

/* The versions before had one function less each: IVRSystem's slot 31 and IVRCompositor's slot 5. */
static void *without(int slot, void *const *table, int count, void **to)
{
    memcpy(to, table, sizeof(void *) * (size_t)slot);
    memcpy(to + slot, table + slot + 1, sizeof(void *) * (size_t)(count - slot - 1));
    return to;
}

static void *interface(const char *name)
{
    if (!strcmp(name, "IVRSystem_023")) return (void *)system_table;
    if (!strcmp(name, "IVRSystem_022")) return without(31, system_table, COUNT(system_table), older_system);
    if (!strcmp(name, "IVRCompositor_029")) return (void *)compositor_table;
    if (!strcmp(name, "IVRCompositor_028"))
        return without(5, compositor_table, COUNT(compositor_table), older_compositor);
    if (!strcmp(name, "IVRInput_010")) return (void *)input_table;
    if (!strcmp(name, "IVRTrackedCamera_006")) return (void *)camera_table;
    if (!strcmp(name, "IVRApplications_007")) return (void *)applications_table;
    return NULL;
}

/* ---- the core: C++ methods, so `this` comes first ----------------------------------------------------------- */

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

/* ---- for the tests ------------------------------------------------------------------------------------------ */

EXPORT const Counters *rt_counters(void) { return &rt.count; }

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
EXPORT double rt_now(void) { return rt.now; }
EXPORT void rt_advance(double seconds) { rt.now += seconds; }
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

EXPORT void rt_set_camera(bool there, int empty_reads) { rt.camera = there, rt.camera_empty_reads = empty_reads; }

EXPORT void rt_set_camera_frame(const void *pixels, uint32_t width, uint32_t height, uint32_t sequence,
                                const float *head, bool head_valid)
{
    const size_t bytes = (size_t)width * height * 4;
    free(rt.camera_pixels);
    rt.camera_pixels = malloc(bytes);
    memcpy(rt.camera_pixels, pixels, bytes);
    rt.camera_size[0] = width, rt.camera_size[1] = height, rt.camera_sequence = sequence;
    rt.camera_head = (Pose){.result = RUNNING_OK, .valid = head_valid, .connected = true};
    memcpy(&rt.camera_head.pose, head, sizeof(Rows));
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
    static const struct { const char *table; const char *const *names; int count; } all[] = {
        {"IVRSystem", system_names, COUNT(system_names)},
        {"IVRCompositor", compositor_names, COUNT(compositor_names)},
        {"IVRInput", input_names, COUNT(input_names)},
        {"IVRTrackedCamera", camera_names, COUNT(camera_names)},
        {"IVRApplications", applications_names, COUNT(applications_names)},
    };
    for (int i = 0; i < COUNT(all); i++)
        if (!strcmp(all[i].table, table)) return slot < all[i].count ? all[i].names[slot] : NULL;
    return NULL;
}
