/* What the checks in C share. A check returns 0, or 1 after a line for what does not hold. */
#ifndef C3D_ARITH_CHECKS_H
#define C3D_ARITH_CHECKS_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "c3d_arith.h"

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);          \
            return 1;                                                       \
        }                                                                   \
    } while (0)

/* Also prints the number, for the test that looks whether every status was seen. */
#define STATUS(call, expected)                                              \
    do {                                                                    \
        c3d_arith_status seen = (call);                                     \
        if (seen != (expected)) {                                           \
            printf("%s:%d: %s: %d\n", __FILE__, __LINE__, #call, (int)seen); \
            return 1;                                                       \
        }                                                                   \
        printf("%d\n", (int)seen);                                          \
    } while (0)

int check_payloads(void);
int check_damage(void);
int check_slices(void);
int check_kernels(void);

#endif
