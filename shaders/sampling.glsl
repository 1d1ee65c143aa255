// Looks a picture up without mipmaps. Included by fragment shaders.
// picture: sRGB-encoded, linear filter; place: 0..1 over the texture; across, down: dFdx(place), dFdy(place).
// Where one pixel meets one texel the answer is that texel, bit for bit; elsewhere it is bilinear.
// With SMOOTH defined, a reduced picture is the mean of up to 8 x 8 bilinear taps over the pixel's
// footprint; a tap is itself about one texel wide, so the taps cover the footprint less one.
// (Software OpenGL, which pays for each tap and never skips a branch, is given no SMOOTH.)

vec4 sample_one(sampler2D picture, vec2 place) {
    vec2 size = vec2(textureSize(picture, 0));
    vec2 texel = place * size;
    vec2 middle = floor(texel) + 0.5;
    // Interpolated coordinates are a little off: within 1/64 of a texel's middle the middle is meant.
    vec2 meant = mix(texel, middle, lessThan(abs(texel - middle), vec2(1.0 / 64.0)));
    return textureLod(picture, meant / size, 0.0);
}

#ifdef SMOOTH
const int MOST_TAPS = 8;

vec4 sample_picture(sampler2D picture, vec2 place, vec2 across, vec2 down) {
    vec2 size = vec2(textureSize(picture, 0));
    vec2 footprint = vec2(length(across * size), length(down * size)); // texels
    if (footprint.x < 1.01 && footprint.y < 1.01) {
        return sample_one(picture, place);
    }
    ivec2 taps = clamp(ivec2(ceil(footprint - 0.01)), ivec2(1), ivec2(MOST_TAPS));
    vec2 spread = max(1.0 - 1.0 / max(footprint, vec2(1.0)), vec2(0.0));
    vec4 sum = vec4(0.0);
    for (int row = 0; row < taps.y; ++row) {
        for (int column = 0; column < taps.x; ++column) {
            vec2 offset = ((vec2(column, row) + 0.5) / vec2(taps) - 0.5) * spread;
            sum += textureLod(picture, place + offset.x * across + offset.y * down, 0.0);
        }
    }
    return sum / float(taps.x * taps.y);
}
#else
vec4 sample_picture(sampler2D picture, vec2 place, vec2 across, vec2 down) {
    return sample_one(picture, place);
}
#endif
