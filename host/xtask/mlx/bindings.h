// mlx-c as bindgen reads it: with its half-precision functions, whatever the processor.
#define MLX_HALF_H
#define HAS_FLOAT16
#define HAS_BFLOAT16
typedef unsigned short float16_t;
typedef unsigned short bfloat16_t;

#include <mlx/c/mlx.h>
