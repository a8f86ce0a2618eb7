/* What the library calls instead of the allocator and pthread_create, so that they fail. */
#ifndef C3D_TEST_HOOKS_H
#define C3D_TEST_HOOKS_H

/* The call of this number, from 1 on, is the next to fail; 0 for none. */
void hooks_fail_at(int number);

/* Whether it has. */
int hooks_failed(void);

#endif
