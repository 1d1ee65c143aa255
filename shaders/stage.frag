#version 330 core
// Mixes the source, its painting, the painting of the style before, and outside a region that of another style;
// each only if its name is defined (SOURCE, PAINTED, BEFORE, OTHER): not every driver skips a picture that counts
// for nothing. Without PAINTED it is the source alone. With REGION defined (it needs SOURCE) the painting is seen in
// the region only.
// In:  source, painted, before, other: sRGB-encoded pictures, top row first; strength 0 (source) .. 1 (painting),
//      fade 0 (before) .. 1 (painted); preserve_color 0, or 1: the painting's luminance
//      with the source's chroma; brightness 0..1; background, sRGB-encoded; aspect, width / height of a picture;
//      region_line, region_disc, region_softness as `render.region.Region.uniforms` says;
//      with EDGE defined the mesh's edges are smoothed over one pixel.
// Out: sRGB-encoded colour, opaque. Bytes are mixed as they are: what networks and painters see.
#include "sampling.glsl"
#if !defined(PAINTED) && !defined(SOURCE)
#define SOURCE
#endif
in vec2 picture_place;
uniform sampler2D source;
uniform sampler2D painted;
uniform sampler2D before;
uniform sampler2D other;
uniform float strength;
uniform float fade;
uniform float preserve_color;
uniform float brightness;
uniform vec3 background;
uniform float aspect;
uniform vec3 region_line;
uniform vec3 region_disc;
uniform float region_softness;
out vec4 colour;

#ifdef SOURCE
// BT.601, of sRGB-encoded values: the formula of `offline.files.with_colors_of`.
const vec3 LUMINANCE = vec3(0.299, 0.587, 0.114);

vec3 over_source(vec3 painting, vec3 original, float amount) {
    vec3 recoloured = clamp(original + dot(LUMINANCE, painting - original), 0.0, 1.0);
    return mix(original, mix(painting, recoloured, preserve_color), amount);
}
#endif

#ifdef REGION
// 1 in the region, 0 outside, smooth between. Lengths are in heights of the picture.
float inside_region() {
    vec2 place = picture_place * vec2(aspect, 1.0);
    float behind_line = dot(region_line.xy, place) + region_line.z;
    float in_disc = region_disc.z - distance(place, region_disc.xy);
    return smoothstep(0.0, 1.0, min(behind_line, in_disc) / region_softness + 0.5);
}
#endif

void main() {
    vec2 across = dFdx(picture_place);
    vec2 down = dFdy(picture_place);
#ifdef SOURCE
    vec3 original = sample_picture(source, picture_place, across, down).rgb;
#endif
#ifdef PAINTED
    vec3 result = sample_picture(painted, picture_place, across, down).rgb;
#ifdef BEFORE
    result = mix(sample_picture(before, picture_place, across, down).rgb, result, fade);
#endif
#ifdef SOURCE
    result = over_source(result, original, strength);
#endif
#ifdef REGION
    vec3 outside = original;
#ifdef OTHER
    outside = over_source(sample_picture(other, picture_place, across, down).rgb, original, strength);
#endif
    result = mix(outside, result, inside_region());
#endif
#else
    vec3 result = original;
#endif
    result *= brightness;
#ifdef EDGE
    vec2 pixel = max(vec2(length(vec2(across.x, down.x)), length(vec2(across.y, down.y))), vec2(1e-9));
    vec2 inside = min(picture_place, 1.0 - picture_place) / pixel; // pixels to the nearest edge
    result = mix(background, result, clamp(min(inside.x, inside.y), 0.0, 1.0));
#endif
    colour = vec4(result, 1.0);
}
