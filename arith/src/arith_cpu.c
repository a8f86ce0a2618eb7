/* Which kernels this processor has. */
#include "arith_kernels.h"

#ifdef ARITH_HAS_X86
static int has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
           __builtin_cpu_supports("fma") && __builtin_cpu_supports("popcnt");
}

static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

int arith_crc32c_has_sse42(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2");
}
#else
static int has_avx2(void) { return 0; }
static int has_avx512(void) { return 0; }
#endif

int c3d_arith_kernel_available(c3d_arith_kernel kernel)
{
    switch (kernel) {
    case C3D_ARITH_KERNEL_AUTO:
    case C3D_ARITH_KERNEL_PORTABLE:
        return 1;
    case C3D_ARITH_KERNEL_AVX2:
        return has_avx2();
    case C3D_ARITH_KERNEL_AVX512:
        return has_avx512();
    }
    return 0;
}

c3d_arith_kernel arith_resolve_kernel(c3d_arith_kernel kernel)
{
    if (kernel != C3D_ARITH_KERNEL_AUTO) {
        return kernel;
    }
    return has_avx512() ? C3D_ARITH_KERNEL_AVX512
           : has_avx2() ? C3D_ARITH_KERNEL_AVX2
                        : C3D_ARITH_KERNEL_PORTABLE;
}

arith_pull_rows *arith_pull_kernel(c3d_arith_kernel kernel)
{
#ifdef ARITH_HAS_X86
    if (kernel == C3D_ARITH_KERNEL_AVX512) {
        return arith_pull_rows_avx512;
    }
    if (kernel == C3D_ARITH_KERNEL_AVX2) {
        return arith_pull_rows_avx2;
    }
#endif
    (void)kernel;
    return arith_pull_rows_portable;
}

arith_push_rows *arith_push_kernel(c3d_arith_kernel kernel)
{
#ifdef ARITH_HAS_X86
    if (kernel == C3D_ARITH_KERNEL_AVX512) {
        return arith_push_rows_avx512;
    }
    if (kernel == C3D_ARITH_KERNEL_AVX2) {
        return arith_push_rows_avx2;
    }
#endif
    (void)kernel;
    return arith_push_rows_portable;
}
