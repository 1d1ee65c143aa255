/* What the test runtime's files share: OpenVR's structures, and the state of the one headset there is.
 *
 * The declarations are our own, written from the documented behaviour; tests/vr/test_runtime_tables.py compares
 * their sizes, and the order of the tables, with the structures of the installed openvr package.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

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
#define CAMERA_BYTES (1 << 20)

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
enum { UNKNOWN_APPLICATION = 104 };
enum { OPENGL = 1, WITH_POSE = 8 };
enum { ACTIVITY_UNKNOWN = -1, ACTIVITY_USED = 1 };

/* ---- what the tests set and read (tests/openvr_runtime/driver.py mirrors these two) ------------------------- */

typedef struct {
    uint64_t inits, shutdowns, waits, submits, handoffs, quits_acknowledged, action_updates, pulses, header_reads,
        frame_reads, camera_opened, camera_closed, frames_late, vsyncs_missed, vsyncs_without_submit, events_polled;
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

typedef struct {
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
    int32_t activity; /* of the headset */
    Property properties[PROPERTIES];
    int property_count;

    double now, period, vsync; /* `now` as of the last WaitGetPoses or change of it; see virtual_now */
    double pace;               /* virtual seconds for each real one that the program takes between two WaitGetPoses */
    double working_since;      /* real time; below 0 while the program waits in WaitGetPoses */
    double rest; /* real seconds that WaitGetPoses sleeps, so that other threads get their turn */
    double begun;      /* the vsync at which the frame in work began */
    uint32_t frame_number, dropped;
    uint64_t first_submit;
    bool focus, pause, reduce_work, tracked;
    bool eye_submitted[2];
    int next_submit_error;
    bool read_back;
    Submission submissions[SUBMISSIONS];
    uint64_t submission_count;

    Event events[EVENTS];
    int event_first, event_count;

    char manifest[TEXT], app_manifest[TEXT], app_key[TEXT];
    bool manifest_too_late, app_manifest_temporary, identified_too_late;
    uint32_t app_process;
    Name names[NAMES]; /* a handle is an index plus one */
    int name_count;
    Input pending[NAMES][SOURCES], current[NAMES][SOURCES], before[NAMES][SOURCES];
    int inactive_updates; /* how many more UpdateActionState find the controllers asleep */
    uint64_t last_pulse_source;

} State;

/* The cameras are another process's to read: this lies in a file beside the library, which all map. */
typedef struct {
    uint64_t header_reads, frame_reads, opened, closed;
    bool there, open, standing, crashes, hangs; /* the last two at the next read of a frame */
    int empty_reads;
    uint32_t size[2], sequence, type, process; /* the type of the newest read, and who read it */
    float focal; /* pixels; 0: it does not say */
    Pose head;
    uint32_t filled; /* bytes of pixels */
    uint8_t pixels[CAMERA_BYTES];
} Camera;

extern State rt;

/* ---- what the files ask of each other ----------------------------------------------------------------------- */

/* The functions of one interface, in OpenVR's order. */
typedef struct {
    const char *name; /* without its version */
    int count;
    void *const *functions;
    const char *const *names;
} Table;

extern const Table system_table, compositor_table, input_table, camera_table, applications_table;

Camera *camera(void);

double virtual_now(void);
void set_clock(double now, bool program_works);

int name_index(const char *name); /* of an action, an action set or an input source; a handle is one more */
bool file_has(const char *path, const char *name); /* between quotes */
