/* The tables of functions, in OpenVR's order: USED slots answer, UNUSED ones name themselves and abort, so that a
 * program which comes to need one more function says so at once. The file that makes the functions ends with TABLE.
 */
#include <stdio.h>
#include <stdlib.h>

#define SYSTEM(USED, UNUSED) \
    USED(getRecommendedRenderTargetSize, get_recommended_render_target_size) \
    USED(getProjectionMatrix, get_projection_matrix) \
    USED(getProjectionRaw, get_projection_raw) \
    UNUSED(IVRSystem, computeDistortion) \
    USED(getEyeToHeadTransform, get_eye_to_head_transform) \
    USED(getTimeSinceLastVsync, get_time_since_last_vsync) \
    UNUSED(IVRSystem, getD3D9AdapterIndex) \
    UNUSED(IVRSystem, getDXGIOutputInfo) \
    UNUSED(IVRSystem, getOutputDevice) \
    UNUSED(IVRSystem, isDisplayOnDesktop) \
    UNUSED(IVRSystem, setDisplayVisibility) \
    UNUSED(IVRSystem, getDeviceToAbsoluteTrackingPose) \
    UNUSED(IVRSystem, getSeatedZeroPoseToStandingAbsoluteTrackingPose) \
    UNUSED(IVRSystem, getRawZeroPoseToStandingAbsoluteTrackingPose) \
    UNUSED(IVRSystem, getSortedTrackedDeviceIndicesOfClass) \
    USED(getTrackedDeviceActivityLevel, get_tracked_device_activity_level) \
    UNUSED(IVRSystem, applyTransform) \
    UNUSED(IVRSystem, getTrackedDeviceIndexForControllerRole) \
    UNUSED(IVRSystem, getControllerRoleForTrackedDeviceIndex) \
    USED(getTrackedDeviceClass, get_tracked_device_class) \
    USED(isTrackedDeviceConnected, is_tracked_device_connected) \
    USED(getBoolTrackedDeviceProperty, get_bool_tracked_device_property) \
    USED(getFloatTrackedDeviceProperty, get_float_tracked_device_property) \
    USED(getInt32TrackedDeviceProperty, get_int32_tracked_device_property) \
    UNUSED(IVRSystem, getUint64TrackedDeviceProperty) \
    UNUSED(IVRSystem, getMatrix34TrackedDeviceProperty) \
    USED(getArrayTrackedDeviceProperty, get_array_tracked_device_property) \
    USED(getStringTrackedDeviceProperty, get_string_tracked_device_property) \
    UNUSED(IVRSystem, getPropErrorNameFromEnum) \
    USED(pollNextEvent, poll_next_event) \
    UNUSED(IVRSystem, pollNextEventWithPose) \
    UNUSED(IVRSystem, pollNextEventWithPoseAndOverlays) \
    UNUSED(IVRSystem, getEventTypeNameFromEnum) \
    UNUSED(IVRSystem, getHiddenAreaMesh) \
    UNUSED(IVRSystem, getControllerState) \
    UNUSED(IVRSystem, getControllerStateWithPose) \
    UNUSED(IVRSystem, triggerHapticPulse) \
    UNUSED(IVRSystem, getButtonIdNameFromEnum) \
    UNUSED(IVRSystem, getControllerAxisTypeNameFromEnum) \
    UNUSED(IVRSystem, isInputAvailable) \
    UNUSED(IVRSystem, isSteamVRDrawingControllers) \
    USED(shouldApplicationPause, should_application_pause) \
    USED(shouldApplicationReduceRenderingWork, should_application_reduce_rendering_work) \
    UNUSED(IVRSystem, performFirmwareUpdate) \
    USED(acknowledgeQuit_Exiting, acknowledge_quit_exiting) \
    UNUSED(IVRSystem, getAppContainerFilePaths) \
    USED(getRuntimeVersion, get_runtime_version)

#define COMPOSITOR(USED, UNUSED) \
    USED(setTrackingSpace, set_tracking_space) \
    UNUSED(IVRCompositor, getTrackingSpace) \
    USED(waitGetPoses, wait_get_poses) \
    UNUSED(IVRCompositor, getLastPoses) \
    UNUSED(IVRCompositor, getLastPoseForTrackedDeviceIndex) \
    UNUSED(IVRCompositor, getSubmitTexture) \
    USED(submit, submit) \
    UNUSED(IVRCompositor, submitWithArrayIndex) \
    UNUSED(IVRCompositor, clearLastSubmittedFrame) \
    USED(postPresentHandoff, post_present_handoff) \
    USED(getFrameTiming, get_frame_timing) \
    UNUSED(IVRCompositor, getFrameTimings) \
    UNUSED(IVRCompositor, getFrameTimeRemaining) \
    UNUSED(IVRCompositor, getCumulativeStats) \
    UNUSED(IVRCompositor, fadeToColor) \
    UNUSED(IVRCompositor, getCurrentFadeColor) \
    UNUSED(IVRCompositor, fadeGrid) \
    UNUSED(IVRCompositor, getCurrentGridAlpha) \
    UNUSED(IVRCompositor, setSkyboxOverride) \
    UNUSED(IVRCompositor, clearSkyboxOverride) \
    UNUSED(IVRCompositor, compositorBringToFront) \
    UNUSED(IVRCompositor, compositorGoToBack) \
    UNUSED(IVRCompositor, compositorQuit) \
    UNUSED(IVRCompositor, isFullscreen) \
    UNUSED(IVRCompositor, getCurrentSceneFocusProcess) \
    UNUSED(IVRCompositor, getLastFrameRenderer) \
    USED(canRenderScene, can_render_scene) \
    UNUSED(IVRCompositor, showMirrorWindow) \
    UNUSED(IVRCompositor, hideMirrorWindow) \
    UNUSED(IVRCompositor, isMirrorWindowVisible) \
    UNUSED(IVRCompositor, compositorDumpImages) \
    UNUSED(IVRCompositor, shouldAppRenderWithLowResources) \
    UNUSED(IVRCompositor, forceInterleavedReprojectionOn) \
    UNUSED(IVRCompositor, forceReconnectProcess) \
    UNUSED(IVRCompositor, suspendRendering) \
    UNUSED(IVRCompositor, getMirrorTextureD3D11) \
    UNUSED(IVRCompositor, releaseMirrorTextureD3D11) \
    UNUSED(IVRCompositor, getMirrorTextureGL) \
    UNUSED(IVRCompositor, releaseSharedGLTexture) \
    UNUSED(IVRCompositor, lockGLSharedTextureForAccess) \
    UNUSED(IVRCompositor, unlockGLSharedTextureForAccess) \
    UNUSED(IVRCompositor, getVulkanInstanceExtensionsRequired) \
    UNUSED(IVRCompositor, getVulkanDeviceExtensionsRequired) \
    UNUSED(IVRCompositor, setExplicitTimingMode) \
    UNUSED(IVRCompositor, submitExplicitTimingData) \
    UNUSED(IVRCompositor, isMotionSmoothingEnabled) \
    UNUSED(IVRCompositor, isMotionSmoothingSupported) \
    UNUSED(IVRCompositor, isCurrentSceneFocusAppLoading) \
    UNUSED(IVRCompositor, setStageOverride_Async) \
    UNUSED(IVRCompositor, clearStageOverride) \
    UNUSED(IVRCompositor, getCompositorBenchmarkResults) \
    UNUSED(IVRCompositor, getLastPosePredictionIDs) \
    UNUSED(IVRCompositor, getPosesForFrame)

#define INPUT(USED, UNUSED) \
    USED(setActionManifestPath, set_action_manifest_path) \
    USED(getActionSetHandle, get_action_handle) \
    USED(getActionHandle, get_action_handle) \
    USED(getInputSourceHandle, get_input_source_handle) \
    USED(updateActionState, update_action_state) \
    USED(getDigitalActionData, get_digital_action_data) \
    USED(getAnalogActionData, get_analog_action_data) \
    UNUSED(IVRInput, getPoseActionDataRelativeToNow) \
    USED(getPoseActionDataForNextFrame, get_pose_action_data_for_next_frame) \
    UNUSED(IVRInput, getSkeletalActionData) \
    UNUSED(IVRInput, getDominantHand) \
    UNUSED(IVRInput, setDominantHand) \
    UNUSED(IVRInput, getBoneCount) \
    UNUSED(IVRInput, getBoneHierarchy) \
    UNUSED(IVRInput, getBoneName) \
    UNUSED(IVRInput, getSkeletalReferenceTransforms) \
    UNUSED(IVRInput, getSkeletalTrackingLevel) \
    UNUSED(IVRInput, getSkeletalBoneData) \
    UNUSED(IVRInput, getSkeletalSummaryData) \
    UNUSED(IVRInput, getSkeletalBoneDataCompressed) \
    UNUSED(IVRInput, decompressSkeletalBoneData) \
    USED(triggerHapticVibrationAction, trigger_haptic_vibration_action) \
    UNUSED(IVRInput, getActionOrigins) \
    UNUSED(IVRInput, getOriginLocalizedName) \
    UNUSED(IVRInput, getOriginTrackedDeviceInfo) \
    UNUSED(IVRInput, getActionBindingInfo) \
    UNUSED(IVRInput, showActionOrigins) \
    UNUSED(IVRInput, showBindingsForActionSet) \
    UNUSED(IVRInput, getComponentStateForBinding) \
    UNUSED(IVRInput, isUsingLegacyInput) \
    UNUSED(IVRInput, openBindingUI) \
    UNUSED(IVRInput, getBindingVariant)

#define CAMERA(USED, UNUSED) \
    UNUSED(IVRTrackedCamera, getCameraErrorNameFromEnum) \
    USED(hasCamera, has_camera) \
    USED(getCameraFrameSize, get_camera_frame_size) \
    USED(getCameraIntrinsics, get_camera_intrinsics) \
    UNUSED(IVRTrackedCamera, getCameraProjection) \
    USED(acquireVideoStreamingService, acquire_video_streaming_service) \
    USED(releaseVideoStreamingService, release_video_streaming_service) \
    USED(getVideoStreamFrameBuffer, get_video_stream_frame_buffer) \
    UNUSED(IVRTrackedCamera, getVideoStreamTextureSize) \
    UNUSED(IVRTrackedCamera, getVideoStreamTextureD3D11) \
    UNUSED(IVRTrackedCamera, getVideoStreamTextureGL) \
    UNUSED(IVRTrackedCamera, releaseVideoStreamTextureGL) \
    USED(setCameraTrackingSpace, set_camera_tracking_space) \
    UNUSED(IVRTrackedCamera, getCameraTrackingSpace)

#define APPLICATIONS(USED, UNUSED) \
    USED(addApplicationManifest, add_application_manifest) \
    UNUSED(IVRApplications, removeApplicationManifest) \
    UNUSED(IVRApplications, isApplicationInstalled) \
    UNUSED(IVRApplications, getApplicationCount) \
    UNUSED(IVRApplications, getApplicationKeyByIndex) \
    UNUSED(IVRApplications, getApplicationKeyByProcessId) \
    UNUSED(IVRApplications, launchApplication) \
    UNUSED(IVRApplications, launchTemplateApplication) \
    UNUSED(IVRApplications, launchApplicationFromMimeType) \
    UNUSED(IVRApplications, launchDashboardOverlay) \
    UNUSED(IVRApplications, cancelApplicationLaunch) \
    USED(identifyApplication, identify_application) \
    UNUSED(IVRApplications, getApplicationProcessId) \
    UNUSED(IVRApplications, getApplicationsErrorNameFromEnum) \
    UNUSED(IVRApplications, getApplicationPropertyString) \
    UNUSED(IVRApplications, getApplicationPropertyBool) \
    UNUSED(IVRApplications, getApplicationPropertyUint64) \
    UNUSED(IVRApplications, setApplicationAutoLaunch) \
    UNUSED(IVRApplications, getApplicationAutoLaunch) \
    UNUSED(IVRApplications, setDefaultApplicationForMimeType) \
    UNUSED(IVRApplications, getDefaultApplicationForMimeType) \
    UNUSED(IVRApplications, getApplicationSupportedMimeTypes) \
    UNUSED(IVRApplications, getApplicationsThatSupportMimeType) \
    UNUSED(IVRApplications, getApplicationLaunchArguments) \
    UNUSED(IVRApplications, getStartingApplication) \
    UNUSED(IVRApplications, getSceneApplicationState) \
    UNUSED(IVRApplications, performApplicationPrelaunchCheck) \
    UNUSED(IVRApplications, getSceneApplicationStateNameFromEnum) \
    UNUSED(IVRApplications, launchInternalProcess) \
    UNUSED(IVRApplications, getCurrentSceneProcessId)

#define STOP(table, name)                                                                                            \
    static void stop_##table##_##name(void)                                                                          \
    {                                                                                                                \
        fprintf(stderr, "test runtime: " #table "." #name " was called, and is not made\n");                         \
        abort();                                                                                                     \
    }
#define NOTHING(name, function)
#define FUNCTION(name, function) (void *)function,
#define STOP_FUNCTION(table, name) (void *)stop_##table##_##name,
#define USED_NAME(name, function) #name,
#define UNUSED_NAME(table, name) #name,
#define TABLE(list, table, title)                                                                                    \
    list(NOTHING, STOP)                                                                                              \
    static void *const functions[] = {list(FUNCTION, STOP_FUNCTION)};                                                \
    static const char *const names[] = {list(USED_NAME, UNUSED_NAME)};                                               \
    const Table table##_table = {title, COUNT(functions), functions, names};
