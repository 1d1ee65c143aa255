/* The headset's cameras: IVRTrackedCamera, as any process of the session reads them. */
#include <dlfcn.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime.h"
#include "tables.h"

Camera *camera(void)
{
    static Camera *shared;
    if (shared) return shared;
    Dl_info library;
    char file[4096], path[4200];
    if (!dladdr((void *)&rt, &library)) abort();
    snprintf(file, sizeof file, "%s", library.dli_fname);
    snprintf(path, sizeof path, "%s/camera", dirname(file));
    const int descriptor = open(path, O_RDWR | O_CREAT, 0600);
    if (descriptor < 0 || ftruncate(descriptor, sizeof(Camera))) abort();
    shared = mmap(NULL, sizeof(Camera), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (shared == MAP_FAILED) abort();
    return shared;
}

static uint32_t has_camera(uint32_t device, bool *has)
{
    *has = device == 0 && camera()->there;
    return 0;
}

static uint32_t get_camera_frame_size(uint32_t device, uint32_t type, uint32_t *width, uint32_t *height, uint32_t *size)
{
    (void)type;
    if (device || !camera()->there) return CAMERA_NOT_HERE;
    *width = camera()->size[0], *height = camera()->size[1], *size = *width * *height * 4;
    return 0;
}

static uint32_t get_camera_intrinsics(uint32_t device, uint32_t index, uint32_t type, float *focal, float *center)
{
    (void)index, (void)type;
    if (device || !camera()->there || camera()->focal == 0) return CAMERA_NOT_HERE;
    focal[0] = focal[1] = camera()->focal;
    center[0] = (float)camera()->size[0] / 2, center[1] = (float)camera()->size[1] / 2;
    return 0;
}

static uint32_t acquire_video_streaming_service(uint32_t device, uint64_t *handle)
{
    *handle = 0;
    if (device || !camera()->there) return CAMERA_NOT_HERE;
    camera()->opened++;
    camera()->open = true;
    *handle = 77;
    return 0;
}

static uint32_t release_video_streaming_service(uint64_t handle)
{
    if (handle != 77 || !camera()->open) return CAMERA_BAD_HANDLE;
    camera()->open = false;
    camera()->closed++;
    return 0;
}

static uint32_t get_video_stream_frame_buffer(uint64_t handle, uint32_t type, void *buffer, uint32_t size,
                                              CameraHeader *header, uint32_t header_size)
{
    Camera *const it = camera();
    if (handle != 77 || !it->open) return CAMERA_BAD_HANDLE;
    if (header && header_size != sizeof(CameraHeader)) return CAMERA_BAD_HEADER;
    if (buffer && it->crashes) it->crashes = false, abort();
    while (buffer && it->hangs) usleep(1000);
    const uint32_t bytes = it->size[0] * it->size[1] * 4;
    if (buffer) it->frame_reads++; else it->header_reads++;
    it->type = type, it->process = (uint32_t)getpid();
    if (it->empty_reads > 0) it->empty_reads--;
    else if (it->filled) {
        if (buffer && size < bytes) return CAMERA_BAD_SIZE;
        if (buffer) memcpy(buffer, it->pixels, bytes);
        if (header)
            *header = (CameraHeader){.type = type, .width = it->size[0], .height = it->size[1],
                                     .bytes_per_pixel = 4, .sequence = it->sequence, .head = it->head};
        if (header) header->head.valid &= it->standing; /* else it would be a pose in another space */
        return 0;
    }
    return CAMERA_NO_FRAME;
}

static void set_camera_tracking_space(uint32_t origin) { camera()->standing = origin == 1; }

TABLE(CAMERA, camera, "IVRTrackedCamera")
