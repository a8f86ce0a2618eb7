/*
 * The connection to the process that captures: a socket whose path and password are in the
 * environment. docs/capture.md has the messages.
 *
 * A write is to end in some seconds whatever the other side does, and must not raise SIGPIPE. The
 * program may close our descriptor (daemons close all) and open a file of its own under the same
 * number: nothing is written before we know that it is still ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "preload.h"

enum {
    PASSWORD = 32,
    PATIENCE = 20,     /* seconds that a program is held up at most, once */
    LOOK_EACH = 1,     /* seconds of these between looks at the clock */
    HIGH = 200,        /* programs expect low descriptors for their own files */
    CHANNELS = 4,
    FRAME = 1,
    TICK = 2,
};

static const char MAGIC[8] = "C3DCAPT1";

typedef struct {
    char magic[8];
    uint32_t kind, width, height, unused;
    uint64_t swaps, time, bytes;
} message;

static struct {
    int descriptor;
    pid_t process; /* that has tried to connect; 0 before */
    dev_t device;
    ino_t inode;
} channel = {.descriptor = -1};

bool c3d_channel_is_new(void)
{
    return channel.process != getpid();
}

static bool is_ours(void)
{
    struct stat now;
    return channel.descriptor >= 0 && fstat(channel.descriptor, &now) == 0 &&
           S_ISSOCK(now.st_mode) && now.st_dev == channel.device && now.st_ino == channel.inode;
}

static void hang_up(void)
{
    if (is_ours()) {
        close(channel.descriptor);
    }
    channel.descriptor = -1;
}

static uint64_t patience_from_now(void)
{
    return c3d_now() + PATIENCE * UINT64_C(1000000000);
}

static bool may_go_on(ssize_t done, uint64_t end)
{
    bool waits = done < 0 && (errno == EINTR || errno == EAGAIN);
    return (done > 0 || waits) && c3d_now() < end;
}

/* A socket's own limit is not enough: it begins anew after a part, and ends up to a tick early. */
static bool send_all(const void *data, size_t bytes)
{
    const uint8_t *rest = data;
    uint64_t end = patience_from_now();
    while (bytes > 0) {
        ssize_t sent = send(channel.descriptor, rest, bytes, MSG_NOSIGNAL);
        if (sent > 0) {
            rest += sent;
            bytes -= (size_t)sent;
        }
        if (bytes > 0 && !may_go_on(sent, end)) {
            return false;
        }
    }
    return true;
}

static bool receive_all(void *data, size_t bytes)
{
    uint8_t *rest = data;
    uint64_t end = patience_from_now();
    while (bytes > 0) {
        ssize_t got = recv(channel.descriptor, rest, bytes, 0);
        if (got > 0) {
            rest += got;
            bytes -= (size_t)got;
        }
        if (bytes > 0 && !may_go_on(got, end)) {
            return false;
        }
    }
    return true;
}

static void limit_waits(time_t seconds)
{
    struct timeval limit = {.tv_sec = seconds};
    setsockopt(channel.descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(channel.descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static bool connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat made;
    if (strlen(path) >= sizeof address.sun_path) {
        return false;
    }
    strcpy(address.sun_path, path);
    int low = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (low < 0) {
        return false;
    }
    int high = fcntl(low, F_DUPFD_CLOEXEC, HIGH);
    if (high >= 0) {
        close(low);
    }
    channel.descriptor = high >= 0 ? high : low;
    if (fstat(channel.descriptor, &made) != 0) {
        return false;
    }
    channel.device = made.st_dev;
    channel.inode = made.st_ino;
    limit_waits(PATIENCE);
    if (connect(channel.descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        return false;
    }
    limit_waits(LOOK_EACH);
    return true;
}

static bool introduce(const char *password, c3d_orders *orders)
{
    char hello[sizeof MAGIC + PASSWORD];
    memcpy(hello, MAGIC, sizeof MAGIC);
    memcpy(hello + sizeof MAGIC, password, PASSWORD);
    return send_all(hello, sizeof hello) && receive_all(orders, sizeof *orders);
}

void c3d_channel_leave(void)
{
    hang_up();
}

bool c3d_channel_open(c3d_orders *orders)
{
    channel.process = getpid();
    const char *path = getenv("C3D_CAPTURE_SOCKET");
    const char *password = getenv("C3D_CAPTURE_PASSWORD");
    if (path == NULL || password == NULL || strlen(password) != PASSWORD) {
        return false;
    }
    if (connect_to(path) && introduce(password, orders)) {
        return true;
    }
    hang_up();
    return false;
}

bool c3d_channel_send(uint64_t swaps, uint64_t now, uint32_t width, uint32_t height,
                      const uint8_t *pixels)
{
    message head = {.kind = pixels == NULL ? TICK : FRAME,
                    .width = width,
                    .height = height,
                    .swaps = swaps,
                    .time = now,
                    .bytes = (uint64_t)width * height * CHANNELS};
    memcpy(head.magic, MAGIC, sizeof MAGIC);
    if (is_ours() && send_all(&head, sizeof head) &&
        (pixels == NULL || send_all(pixels, (size_t)head.bytes))) {
        return true;
    }
    hang_up();
    return false;
}
