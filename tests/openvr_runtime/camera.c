/* The headset's cameras: IVRTrackedCamera. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"
#include "tables.h"

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

static uint32_t get_camera_intrinsics(uint32_t device, uint32_t camera, uint32_t type, float *focal, float *center)
{
    (void)camera, (void)type;
    if (device || !rt.camera || rt.camera_focal == 0) return CAMERA_NOT_HERE;
    focal[0] = focal[1] = rt.camera_focal;
    center[0] = (float)rt.camera_size[0] / 2, center[1] = (float)rt.camera_size[1] / 2;
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
    rt.camera_type = type;
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

TABLE(CAMERA, camera, "IVRTrackedCamera")
