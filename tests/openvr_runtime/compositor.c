/* Frames in virtual time, and what is submitted: IVRCompositor. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime.h"
#include "tables.h"

static void set_tracking_space(uint32_t origin) { (void)origin; }

static double real_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + time.tv_nsec * 1e-9;
}

double virtual_now(void)
{
    return rt.now + (rt.working_since < 0 ? 0 : rt.pace * (real_now() - rt.working_since));
}

/* Only while the program works does its real time count. */
void set_clock(double now, bool program_works)
{
    rt.now = now;
    rt.working_since = program_works ? real_now() : -1;
}

/* The next vsync, or the first one that a late program can still reach. */
static uint32_t next_frame(Pose *render, uint32_t render_count, Pose *game, uint32_t game_count)
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
        rt.count.frames_late += turns > 1;
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

static uint32_t wait_get_poses(Pose *render, uint32_t render_count, Pose *game, uint32_t game_count)
{
    set_clock(virtual_now(), false);
    const uint32_t error = next_frame(render, render_count, game, game_count);
    set_clock(rt.now, true);
    return error;
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

TABLE(COMPOSITOR, compositor, "IVRCompositor")
