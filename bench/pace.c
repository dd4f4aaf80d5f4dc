/* An open-loop load: calls at a fixed rate, whether the answers come or not.

       pace PORT RATE SECONDS CONNECTIONS constant|poisson < request

   Every call has a time at which it is due. It leaves on an idle connection at that time, or as soon
   as one is idle. Two times are told: `due`, from when the call was due to the end of its answer
   (what a caller waits who comes at his own time: nothing is omitted because the proxy was slow), and
   `sent`, from when it was written. Calls that were due and not sent at the end count as unsent.
   The same request is sent each time; answers must have a Content-Length. One thread, epoll with
   nanosecond time-outs. Loopback only. The result is one line of JSON on stdout.
*/
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER 65536
#define MOST 4096

struct connection {
    int fd;
    size_t have, wanted; /* bytes of the answer so far; its length, 0 until its head is complete */
    int64_t due, sent;   /* of the call under way */
    int status;
    char data[BUFFER];
};

static struct connection *connections;
static int idle[MOST], idle_count, opened;
static char request[BUFFER];
static size_t request_length;
static int port, epoll;
static uint32_t *due_us, *sent_us;
static size_t done, errors, refused, reopened, room;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "pace: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void open_connection(int number) {
    struct connection *c = &connections[number];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl");
    idle[idle_count++] = number;
}

static void reopen(int number, int was_busy) {
    close(connections[number].fd);
    if (was_busy) errors++;
    else
        for (int i = 0; i < idle_count; i++)
            if (idle[i] == number) { idle[i] = idle[--idle_count]; break; }
    if (++reopened > 100000) { fprintf(stderr, "pace: the proxy keeps closing\n"); exit(2); }
    open_connection(number);
}

static void send_call(int number, int64_t due) {
    struct connection *c = &connections[number];
    c->due = due;
    c->sent = now_ns();
    c->have = c->wanted = 0;
    if (send(c->fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length)
        reopen(number, 1);
}

/* How long the answer is, once its head is complete; -1 when that can't be told. */
static long answer_length(struct connection *c) {
    char *end = memmem(c->data, c->have, "\r\n\r\n", 4);
    if (!end) return c->have < BUFFER ? 0 : -1;
    c->status = atoi(c->data + 9);
    for (char *line = c->data; line < end; line = strstr(line, "\r\n") + 2)
        if (!strncasecmp(line, "content-length:", 15)) return end + 4 - c->data + atol(line + 15);
    return -1;
}

static void read_answer(int number) {
    struct connection *c = &connections[number];
    int busy = c->sent != 0;
    size_t at = c->have < BUFFER ? c->have : 0;
    ssize_t got = recv(c->fd, c->data + at, BUFFER - at, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0 || !busy) {
        c->sent = 0;
        reopen(number, busy);
        return;
    }
    c->have += got;
    if (!c->wanted) {
        long length = answer_length(c);
        if (length < 0) { fprintf(stderr, "pace: an answer without Content-Length\n"); exit(2); }
        c->wanted = length;
    }
    if (!c->wanted || c->have < c->wanted) return;
    int64_t now = now_ns();
    if (c->status == 200) {
        if (done < room) {
            due_us[done] = (now - c->due) / 1000;
            sent_us[done] = (now - c->sent) / 1000;
            done++;
        }
    } else if (c->status == 503 || c->status == 429) {
        refused++;
    } else {
        errors++;
    }
    c->sent = 0;
    idle[idle_count++] = number;
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void tell(const char *name, uint32_t *values) {
    static const double parts[] = {0.5, 0.9, 0.99, 0.999, 1.0};
    static const char *names[] = {"p50", "p90", "p99", "p999", "max"};
    qsort(values, done, sizeof *values, compare);
    for (int i = 0; i < 5; i++) {
        size_t at = done ? (size_t)(parts[i] * (done - 1)) : 0;
        printf(", \"%s_%s_us\": %u", name, names[i], done ? values[at] : 0);
    }
}

int main(int count, char **arguments) {
    if (count != 6) { fprintf(stderr, "usage: pace PORT RATE SECONDS CONNECTIONS ARRIVALS\n"); return 2; }
    port = atoi(arguments[1]);
    double rate = atof(arguments[2]), seconds = atof(arguments[3]);
    opened = atoi(arguments[4]);
    int poisson = !strcmp(arguments[5], "poisson");
    if (rate <= 0 || rate > 1e6 || seconds <= 0 || seconds > 600 || opened < 1 || opened > MOST) return 2;
    ssize_t got;
    while ((got = read(0, request + request_length, BUFFER - request_length)) > 0) request_length += got;
    prctl(PR_SET_TIMERSLACK, 1UL);
    room = (size_t)(rate * seconds * 1.5) + 1000;
    due_us = calloc(room, sizeof *due_us);
    sent_us = calloc(room, sizeof *sent_us);
    connections = calloc(opened, sizeof *connections);
    if (!due_us || !sent_us || !connections) fail("memory");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int number = 0; number < opened; number++) open_connection(number);
    unsigned short seed[3] = {1, 2, 3}; /* the same gaps for every proxy */
    int64_t begun = now_ns(), end = begun + (int64_t)(seconds * 1e9);
    double next = begun;
    size_t called = 0;
    for (;;) {
        int64_t now = now_ns();
        while (idle_count && next <= now && next < end) {
            send_call(idle[--idle_count], (int64_t)next);
            called++;
            next += 1e9 / rate * (poisson ? -log(1.0 - erand48(seed)) : 1.0);
        }
        if (now >= end && (idle_count == opened || now >= end + 2000000000LL)) break;
        int64_t until = next < end && idle_count ? (int64_t)next : end + 2000000000LL;
        int64_t wait = until > now ? until - now : 0;
        struct timespec limit = {wait / 1000000000, wait % 1000000000};
        struct epoll_event events[64];
        int ready = epoll_pwait2(epoll, events, 64, &limit, NULL);
        for (int i = 0; i < ready; i++) read_answer(events[i].data.u32);
    }
    double unsent = next < end ? (end - next) / (1e9 / rate) : 0;
    printf("{\"called\": %zu, \"answered\": %zu, \"refused\": %zu, \"errors\": %zu, \"unanswered\": %d, "
           "\"unsent\": %.0f, \"reopened\": %zu",
           called, done, refused, errors, opened - idle_count, unsent, reopened);
    tell("due", due_us);
    tell("sent", sent_us);
    printf("}\n");
    return 0;
}
