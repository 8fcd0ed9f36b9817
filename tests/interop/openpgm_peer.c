/*
 * One end of a PGM conversation by OpenPGM, for tests and benches: the counterpart of `groundwave pgm send|recv`.
 *
 *   openpgm_peer send --interface IP --group IP --port N --count N [--size N] [--rate N] [--linger-ms N]
 *   openpgm_peer recv --interface IP --group IP --port N [--count N] [--seconds N] [--naks BACKOFF/REPEAT/RDATA]
 *
 * A payload begins with a 64-bit little-endian counter from 0 and a 64-bit little-endian time of sending in ns since
 * the epoch. --rate is in messages per second, 0 as fast as they go; --naks in ms. Both end with one line of JSON.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <pgm/pgm.h>

enum { HEADER = 16, LARGEST = 1 << 16, WINDOW_SQNS = 1 << 16, MTU = 1500 };

/* How often a sender that is not idle looks for NAKs, in messages; and how many it answers at once. */
enum { SENDS_PER_LOOK = 8, ANSWERS_PER_LOOK = 64 };

static struct {
	const char *mode, *interface, *group, *naks;
	long port, size, count, rate, seconds, linger_ms;
} options = { .naks = "2/10/10", .size = 200, .linger_ms = 1000 };

static void fail(const char *what, pgm_error_t *error)
{
	fprintf(stderr, "openpgm_peer: %s: %s\n", what, error ? error->message : strerror(errno));
	exit(1);
}

static uint64_t ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

static void set(pgm_sock_t *sock, int level, int name, int value)
{
	if (!pgm_setsockopt(sock, level, name, &value, sizeof value)) {
		fprintf(stderr, "openpgm_peer: option %#x\n", name);
		exit(1);
	}
}

static void set_pgm(pgm_sock_t *sock, int name, int value)
{
	set(sock, IPPROTO_PGM, name, value);
}

static void configure_sender(pgm_sock_t *sock)
{
	const int heartbeats[] = { pgm_msecs(100), pgm_msecs(100), pgm_msecs(100), pgm_msecs(100),
		pgm_msecs(1300), pgm_secs(7), pgm_secs(16), pgm_secs(25), pgm_secs(30) };
	set_pgm(sock, PGM_SEND_ONLY, 1);
	set_pgm(sock, PGM_TXW_SQNS, WINDOW_SQNS);
	set_pgm(sock, PGM_AMBIENT_SPM, pgm_secs(30));
	if (!pgm_setsockopt(sock, IPPROTO_PGM, PGM_HEARTBEAT_SPM, heartbeats, sizeof heartbeats))
		fail("heartbeats", NULL);
}

static void configure_receiver(pgm_sock_t *sock)
{
	int backoff_ms, repeat_ms, rdata_ms;
	if (sscanf(options.naks, "%d/%d/%d", &backoff_ms, &repeat_ms, &rdata_ms) != 3)
		fail("--naks", NULL);
	set_pgm(sock, PGM_RECV_ONLY, 1);
	set_pgm(sock, PGM_PASSIVE, 0);
	set_pgm(sock, PGM_RXW_SQNS, WINDOW_SQNS);
	set_pgm(sock, PGM_PEER_EXPIRY, pgm_secs(300));
	set_pgm(sock, PGM_SPMR_EXPIRY, pgm_msecs(250));
	set_pgm(sock, PGM_NAK_BO_IVL, pgm_msecs(backoff_ms));
	set_pgm(sock, PGM_NAK_RPT_IVL, pgm_msecs(repeat_ms));
	set_pgm(sock, PGM_NAK_RDATA_IVL, pgm_msecs(rdata_ms));
	set_pgm(sock, PGM_NAK_DATA_RETRIES, 50);
	set_pgm(sock, PGM_NAK_NCF_RETRIES, 50);
}

/* A receiver ignores a source that restarts under its old name: the name is of this moment. */
static void bind_to(pgm_sock_t *sock, const struct pgm_addrinfo_t *info)
{
	const uint64_t moment[] = { ns(CLOCK_REALTIME), (uint64_t)getpid() };
	struct pgm_sockaddr_t address = { .sa_port = options.port };
	struct pgm_interface_req_t interface = { .ir_interface = info->ai_recv_addrs[0].gsr_interface };
	pgm_error_t *error = NULL;
	memcpy(&interface.ir_address, &info->ai_send_addrs[0].gsr_addr, sizeof interface.ir_address);
	if (!pgm_gsi_create_from_data(&address.sa_addr.gsi, (const uint8_t *)moment, sizeof moment))
		fail("gsi", NULL);
	if (!pgm_bind3(sock, &address, sizeof address, &interface, sizeof interface, &interface,
		       sizeof interface, &error))
		fail("bind", error);
}

static pgm_sock_t *open_socket(void)
{
	char network[128];
	struct pgm_addrinfo_t *info = NULL;
	pgm_error_t *error = NULL;
	pgm_sock_t *sock = NULL;
	snprintf(network, sizeof network, "%s;%s", options.interface, options.group);
	if (!pgm_init(&error)) fail("init", error);
	if (!pgm_getaddrinfo(network, NULL, &info, &error)) fail(network, error);
	if (!pgm_socket(&sock, AF_INET, SOCK_SEQPACKET, IPPROTO_UDP, &error)) fail("socket", error);
	set_pgm(sock, PGM_UDP_ENCAP_UCAST_PORT, options.port);
	set_pgm(sock, PGM_UDP_ENCAP_MCAST_PORT, options.port);
	set_pgm(sock, PGM_IP_ROUTER_ALERT, 0);
	set_pgm(sock, PGM_MTU, MTU);
	set(sock, SOL_SOCKET, SO_RCVBUF, 4 << 20);
	set(sock, SOL_SOCKET, SO_SNDBUF, 4 << 20);
	if (strcmp(options.mode, "send") == 0) configure_sender(sock);
	else configure_receiver(sock);
	bind_to(sock, info);
	for (unsigned i = 0; i < info->ai_recv_addrs_len; i++)
		if (!pgm_setsockopt(sock, IPPROTO_PGM, PGM_JOIN_GROUP, &info->ai_recv_addrs[i],
				    sizeof info->ai_recv_addrs[i]))
			fail("join", NULL);
	if (!pgm_setsockopt(sock, IPPROTO_PGM, PGM_SEND_GROUP, &info->ai_send_addrs[0],
			    sizeof info->ai_send_addrs[0]))
		fail("send group", NULL);
	set_pgm(sock, PGM_MULTICAST_LOOP, 0);
	set_pgm(sock, PGM_MULTICAST_HOPS, 1);
	set_pgm(sock, PGM_NOBLOCK, 1);
	if (!pgm_connect(sock, &error)) fail("connect", error);
	pgm_freeaddrinfo(info);
	return sock;
}

/* Waits for something to read (or, of a sender, for room to write), for a bounded time. True: there is something. */
static bool wait_for(pgm_sock_t *sock, short events, uint64_t wait_ns)
{
	struct pollfd fds[8];
	int count = sizeof fds / sizeof *fds;
	const struct timespec timeout = { wait_ns / 1000000000, wait_ns % 1000000000 };
	if (pgm_poll_info(sock, fds, &count, events) == -1) fail("poll", NULL);
	return ppoll(fds, count, &timeout, NULL) > 0;
}

/* The time after which the library wants to be called, in ns, 100 ms at most. */
static uint64_t pending_ns(pgm_sock_t *sock, int option)
{
	struct timeval remain = { 0, 100000 };
	socklen_t length = sizeof remain;
	pgm_getsockopt(sock, IPPROTO_PGM, option, &remain, &length);
	const uint64_t wait = remain.tv_sec * UINT64_C(1000000000) + remain.tv_usec * UINT64_C(1000);
	return wait < 100000000 ? wait : 100000000;
}

/* OpenPGM has no thread of its own: timers, SPMs and repairs (one a call) happen in here. */
static void serve(pgm_sock_t *sock)
{
	char nothing[HEADER];
	size_t length;
	for (int i = 0; i < ANSWERS_PER_LOOK; i++) {
		pgm_error_t *error = NULL;
		if (pgm_recv(sock, nothing, sizeof nothing, MSG_DONTWAIT, &length, &error) == PGM_IO_STATUS_ERROR)
			fail("receive", error);
		if (!wait_for(sock, POLLIN, 0)) return;
	}
}

static void serve_until(pgm_sock_t *sock, uint64_t end_ns)
{
	for (uint64_t now = ns(CLOCK_MONOTONIC); now < end_ns; now = ns(CLOCK_MONOTONIC)) {
		const uint64_t wait = end_ns - now;
		wait_for(sock, POLLIN, wait < 1000000 ? wait : 1000000);
		serve(sock);
	}
}

static void send_one(pgm_sock_t *sock, unsigned char *payload, uint64_t counter)
{
	const uint64_t stamp = ns(CLOCK_REALTIME);
	memcpy(payload, &counter, sizeof counter);
	memcpy(payload + 8, &stamp, sizeof stamp);
	for (;;) {
		switch (pgm_send(sock, payload, options.size, NULL)) {
		case PGM_IO_STATUS_NORMAL:
			return;
		case PGM_IO_STATUS_WOULD_BLOCK:
		case PGM_IO_STATUS_CONGESTION:
			wait_for(sock, POLLOUT, 1000000);
			serve(sock);
			break;
		case PGM_IO_STATUS_RATE_LIMITED:
			serve_until(sock, ns(CLOCK_MONOTONIC) + pending_ns(sock, PGM_RATE_REMAIN));
			break;
		default:
			fail("send", NULL);
		}
	}
}

static void run_sender(pgm_sock_t *sock)
{
	static unsigned char payload[LARGEST];
	const uint64_t started = ns(CLOCK_MONOTONIC);
	for (long i = 0; i < options.count; i++) {
		if (options.rate > 0)
			serve_until(sock, started + (uint64_t)i * 1000000000 / options.rate);
		else if (i % SENDS_PER_LOOK == 0)
			serve(sock);
		send_one(sock, payload, i);
	}
	const double elapsed = (ns(CLOCK_MONOTONIC) - started) / 1e9;
	serve_until(sock, ns(CLOCK_MONOTONIC) + options.linger_ms * UINT64_C(1000000));
	printf("{\"sent\":%ld,\"elapsed_s\":%.6f,\"messages_per_s\":%.0f}\n", options.count, elapsed,
	       options.count / elapsed);
}

static struct {
	uint64_t received, bytes, duplicates, lost, next, first_ns, last_ns;
	pgm_tsi_t from;
	uint64_t *latencies;
	size_t room;
} tally;

/* Counters start anew with each source. */
static void count_message(const unsigned char *payload, size_t length, const pgm_tsi_t *from)
{
	uint64_t counter, stamp;
	if (length < HEADER) return;
	memcpy(&counter, payload, sizeof counter);
	memcpy(&stamp, payload + 8, sizeof stamp);
	if (memcmp(from, &tally.from, sizeof *from) != 0) {
		tally.from = *from;
		tally.next = counter;
	}
	if (counter < tally.next) {
		tally.duplicates++;
		return;
	}
	tally.lost += counter - tally.next;
	tally.next = counter + 1;
	if (tally.received == tally.room) {
		tally.room = tally.room ? 2 * tally.room : 1 << 16;
		tally.latencies = realloc(tally.latencies, tally.room * sizeof *tally.latencies);
		if (!tally.latencies) fail("memory", NULL);
	}
	const uint64_t now = ns(CLOCK_REALTIME);
	tally.latencies[tally.received++] = now > stamp ? now - stamp : 0;
	tally.bytes += length;
	tally.last_ns = ns(CLOCK_MONOTONIC);
	if (!tally.first_ns) tally.first_ns = tally.last_ns;
}

static int ascending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static double quantile_us(double q)
{
	return tally.received ? tally.latencies[(size_t)((tally.received - 1) * q)] / 1e3 : 0;
}

static void print_tally(void)
{
	const double elapsed = (tally.last_ns - tally.first_ns) / 1e9;
	qsort(tally.latencies, tally.received, sizeof *tally.latencies, ascending);
	printf("{\"received\":%lu,\"bytes\":%lu,\"duplicates\":%lu,\"lost\":%lu,\"elapsed_s\":%.6f,"
	       "\"messages_per_s\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
	       tally.received, tally.bytes, tally.duplicates, tally.lost, elapsed,
	       elapsed > 0 ? tally.received / elapsed : 0, quantile_us(0.5), quantile_us(0.99));
}

static void run_receiver(pgm_sock_t *sock)
{
	static unsigned char payload[LARGEST];
	const uint64_t end = options.seconds
		? ns(CLOCK_MONOTONIC) + options.seconds * UINT64_C(1000000000) : UINT64_MAX;
	while ((!options.count || tally.received < (uint64_t)options.count) && ns(CLOCK_MONOTONIC) < end) {
		struct pgm_sockaddr_t from;
		socklen_t from_length = sizeof from;
		size_t length = 0;
		pgm_error_t *error = NULL;
		switch (pgm_recvfrom(sock, payload, sizeof payload, MSG_DONTWAIT, &length, &from,
				     &from_length, &error)) {
		case PGM_IO_STATUS_NORMAL:
			count_message(payload, length, &from.sa_addr);
			break;
		case PGM_IO_STATUS_TIMER_PENDING:
			wait_for(sock, POLLIN, pending_ns(sock, PGM_TIME_REMAIN));
			break;
		case PGM_IO_STATUS_RATE_LIMITED:
			wait_for(sock, POLLIN, pending_ns(sock, PGM_RATE_REMAIN));
			break;
		case PGM_IO_STATUS_WOULD_BLOCK:
			wait_for(sock, POLLIN, 100000000);
			break;
		case PGM_IO_STATUS_RESET: /* unrecoverable loss: the counters tell how much */
			if (error) pgm_error_free(error);
			break;
		default:
			fail("receive", error);
		}
	}
	print_tally();
}

static void read_options(int argc, char **argv)
{
	struct { const char *name; const char **text; long *number; } table[] = {
		{ "--interface", &options.interface, NULL }, { "--group", &options.group, NULL },
		{ "--naks", &options.naks, NULL }, { "--port", NULL, &options.port },
		{ "--size", NULL, &options.size }, { "--count", NULL, &options.count },
		{ "--rate", NULL, &options.rate }, { "--seconds", NULL, &options.seconds },
		{ "--linger-ms", NULL, &options.linger_ms },
	};
	const size_t names = sizeof table / sizeof *table;
	options.mode = argc > 1 ? argv[1] : "";
	for (int i = 2; i + 1 < argc; i += 2) {
		size_t at = 0;
		while (at < names && strcmp(argv[i], table[at].name) != 0) at++;
		if (at == names) {
			fprintf(stderr, "openpgm_peer: unknown option %s\n", argv[i]);
			exit(2);
		}
		if (table[at].text) *table[at].text = argv[i + 1];
		else *table[at].number = atol(argv[i + 1]);
	}
	if (!options.interface || !options.group || !options.port || options.size < HEADER ||
	    options.size > LARGEST || (strcmp(options.mode, "send") && strcmp(options.mode, "recv"))) {
		fprintf(stderr, "openpgm_peer: send|recv --interface IP --group IP --port N …\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	read_options(argc, argv);
	pgm_sock_t *sock = open_socket();
	if (strcmp(options.mode, "send") == 0) run_sender(sock);
	else run_receiver(sock);
	pgm_close(sock, true);
	return 0;
}
