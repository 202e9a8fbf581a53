// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The client side of a status socket: complete answers, and the head of an answer with a long list.
 */
#include "base/local_socket.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_US	   20000000
#define ANSWER_MAX (1 << 20)

static char directory[] = "/tmp/test_local_socket.XXXXXX";

struct server {
	struct sockaddr_un address;
	pid_t pid;
};

static void write_all(int fd, const char *text, size_t length, size_t step)
{
	for (; length; text += step, length -= step) {
		step = step < length ? step : length;
		if (write(fd, text, step) != (ssize_t)step)
			_exit(0);
	}
}

/*
 * Starts a process that answers one connection with @text, in pieces of @step bytes. With @endless,
 * it keeps writing until the client closes the connection.
 */
static struct server serve(const char *text, size_t step, bool endless)
{
	struct server server = { .address = { .sun_family = AF_UNIX } };
	int listening = socket(AF_UNIX, SOCK_STREAM, 0), fd;

	snprintf(server.address.sun_path, sizeof(server.address.sun_path), "%s/socket", directory);
	unlink(server.address.sun_path);
	assert_false(
		bind(listening, (const struct sockaddr *)&server.address, sizeof(server.address)));
	assert_false(listen(listening, 1));
	server.pid = fork();
	assert_true(server.pid >= 0);
	if (server.pid) {
		close(listening);
		return server;
	}
	signal(SIGPIPE, SIG_DFL);
	/* exits in any case */
	alarm(60);
	fd = accept(listening, NULL, NULL);
	write_all(fd, text, strlen(text), step);
	while (endless)
		write_all(fd, "{\"peer\":1},", strlen("{\"peer\":1},"), 4096);
	_exit(0);
}

/* An endless answer ends with EPIPE, or with ECONNRESET if the client has left data unread. */
static void serve_end(const struct server *server)
{
	int status;

	assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
	assert_true(WIFEXITED(status) ? !WEXITSTATUS(status) : WTERMSIG(status) == SIGPIPE);
	unlink(server->address.sun_path);
}

static void test_whole(void **state)
{
	struct server server = serve("{\"a\":1,\"list\":[{\"b\":2}]}\n", 3, false);
	struct local_answer answer;

	local_socket_ask(&server.address, WAIT_US, ANSWER_MAX, &answer);
	assert_non_null(answer.document);
	assert_int_equal(json_array_size(json_object_get(answer.document, "list")), 1);
	json_decref(answer.document);
	serve_end(&server);
}

/* The list is endless, and the head arrives in pieces of any size. */
static void test_head(void **state)
{
	static const char text[] =
		"{\"counters\":{\"list\":7},\"name\":\"\\\"list\\\":[\",\"list\":[";
	struct local_answer answer;
	size_t step;

	for (step = 1; step < sizeof(text); step++) {
		struct server server = serve(text, step, true);

		local_socket_ask_head(&server.address, WAIT_US, ANSWER_MAX, "list", &answer);
		assert_non_null(answer.document);
		assert_int_equal(json_array_size(json_object_get(answer.document, "list")), 0);
		assert_int_equal(json_integer_value(json_object_get(
					 json_object_get(answer.document, "counters"), "list")),
				 7);
		assert_string_equal(json_string_value(json_object_get(answer.document, "name")),
				    "\"list\":[");
		json_decref(answer.document);
		serve_end(&server);
	}
}

/* A list that begins after the first buffer. */
static void test_long_head(void **state)
{
	char *text = malloc(200100);
	struct local_answer answer;
	struct server server;
	size_t pad;

	assert_non_null(text);
	for (pad = 65500; pad < 65540; pad += 13) {
		strcpy(text, "{\"pad\":\"");
		memset(text + 8, 'x', pad);
		strcpy(text + 8 + pad, "\",\"list\":[");
		server = serve(text, 50000, true);
		local_socket_ask_head(&server.address, WAIT_US, ANSWER_MAX, "list", &answer);
		assert_non_null(answer.document);
		assert_int_equal(strlen(json_string_value(json_object_get(answer.document, "pad"))),
				 pad);
		json_decref(answer.document);
		serve_end(&server);
	}
	free(text);
}

static void test_no_list(void **state)
{
	struct server server = serve("{\"a\":1}\n", 100, false);
	struct local_answer answer;

	local_socket_ask_head(&server.address, WAIT_US, ANSWER_MAX, "list", &answer);
	assert_int_equal(json_integer_value(json_object_get(answer.document, "a")), 1);
	json_decref(answer.document);
	serve_end(&server);
}

static void test_refused(void **state)
{
	struct server server = serve("[1]", 100, false);
	struct local_answer answer;

	local_socket_ask(&server.address, WAIT_US, ANSWER_MAX, &answer);
	assert_null(answer.document);
	assert_int_equal(answer.error, EBADMSG);
	serve_end(&server);
	local_socket_ask(&server.address, WAIT_US, ANSWER_MAX, &answer);
	assert_null(answer.document);
	assert_int_equal(answer.error, ENOENT);
	server = serve("{\"a\":1,\"list\":[", 100, true);
	local_socket_ask(&server.address, WAIT_US, ANSWER_MAX, &answer);
	assert_int_equal(answer.error, EMSGSIZE);
	serve_end(&server);
}

static int make_directory(void **state)
{
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	return rmdir(directory);
}

static int connect_to_server(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	return fd;
}

/* Without a descriptor, a client is dropped: it does not wake the loop again and again. */
static void test_no_descriptor(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct pollfd waiting = { .events = POLLIN };
	struct rlimit before, limit;
	struct err err = { 0 };
	int client, accepted;
	char byte;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
	waiting.fd = local_socket_listen(&address, &err);
	assert_true(waiting.fd >= 0);
	client = connect_to_server(&address);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)dup(client);
	close((int)limit.rlim_cur);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	accepted = local_socket_accept(waiting.fd, geteuid());
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(accepted, -1);
	assert_int_equal(poll(&waiting, 1, 0), 0);
	assert_int_equal(recv(client, &byte, 1, 0), 0);
	close(client);
	client = connect_to_server(&address);
	accepted = local_socket_accept(waiting.fd, geteuid());
	assert_true(accepted >= 0);
	close(accepted);
	close(client);
	close(waiting.fd);
	unlink(address.sun_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	  cmocka_unit_test(test_head),
		cmocka_unit_test(test_long_head), cmocka_unit_test(test_no_list),
		cmocka_unit_test(test_refused),	  cmocka_unit_test(test_no_descriptor),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
