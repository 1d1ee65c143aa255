#version 330 core
// Mixes the source, its painting and the painting of the style before; each only if its name is
// defined (SOURCE, PAINTED, BEFORE): not every driver skips a picture that counts for nothing.
// In:  source, painted, before: sRGB-encoded pictures, top row first; strength 0 (source) .. 1 (painting);
//      fade 0 (before) .. 1 (painted); brightness 0..1; background, sRGB-encoded;
//      with EDGE defined the mesh's edges are smoothed over one pixel.
// Out: sRGB-encoded colour, opaque. Bytes are mixed as they are: what networks and painters see.
#include "sampling.glsl"
in vec2 picture_place;
uniform sampler2D source;
uniform sampler2D painted;
uniform sampler2D before;
uniform float strength;
uniform float fade;
uniform float brightness;
uniform vec3 background;
out vec4 colour;

void main() {
    vec2 across = dFdx(picture_place);
    vec2 down = dFdy(picture_place);
#ifdef PAINTED
    vec3 result = sample_picture(painted, picture_place, across, down).rgb;
#ifdef BEFORE
    result = mix(sample_picture(before, picture_place, across, down).rgb, result, fade);
#endif
#ifdef SOURCE
    result = mix(sample_picture(source, picture_place, across, down).rgb, result, strength);
#endif
#else
    vec3 result = sample_picture(source, picture_place, across, down).rgb;
#endif
    result *= brightness;
#ifdef EDGE
    vec2 pixel = max(vec2(length(vec2(across.x, down.x)), length(vec2(across.y, down.y))), vec2(1e-9));
    vec2 inside = min(picture_place, 1.0 - picture_place) / pixel; // pixels to the nearest edge
    result = mix(background, result, clamp(min(inside.x, inside.y), 0.0, 1.0));
#endif
    colour = vec4(result, 1.0);
}
