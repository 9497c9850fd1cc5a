/* A wall clock that jumps by up to a day, forwards and backwards, at every look at it.
 * Preloaded before the C library's; the monotonic clock is left as it is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long jump_s(void)
{
    static _Thread_local unsigned int state = 1;
    return (long)(rand_r(&state) % 172801) - 86400;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += jump_s();
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec fine;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &fine);
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *out)
{
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (out)
        *out = fine.tv_sec;
    return fine.tv_sec;
}
