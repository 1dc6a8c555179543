// Included before each file of mlx-c: what it takes for granted on Apple's systems.
// CMake tries the compiler without MLX's headers first; then there is nothing to do.
#if __has_include(<mlx/types/half_types.h>)

#include <mlx/types/half_types.h>

// GCC before 13 has no std::format.
#if __has_include(<format>)
#include <format>
#else
#define FMT_HEADER_ONLY
#include <fmt/format.h>
namespace std {
using fmt::format;
}
#endif

// mlx-c leaves its half-precision functions out where the processor has no such type.
#ifndef __aarch64__
#define HAS_FLOAT16
#define HAS_BFLOAT16
typedef mlx::core::float16_t float16_t;
typedef mlx::core::bfloat16_t bfloat16_t;
#endif

#endif
