/* Stand-in for macOS's <setjmp.h>. */
#ifndef APPLE_SETJMP_H
#define APPLE_SETJMP_H
typedef int jmp_buf[48];
int setjmp(jmp_buf buffer);
_Noreturn void longjmp(jmp_buf buffer, int value);
#endif
