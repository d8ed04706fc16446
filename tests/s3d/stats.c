/* Counters and the ring of the last requests: see stats.h. One thread. */
#include "stats.h"

#include <stdlib.h>
#include <string.h>

#include "req.h"
#include "util/clk.h"
#include "util/mem.h"

static void entry_clear(struct log_entry *e)
{
	free(e->bucket);
	free(e->key);
	free(e->code);
	*e = (struct log_entry){0};
}

static void log_add(struct stats *s, const struct req *r, struct bytes key, bool is_batch_key)
{
	struct log_entry *e;

	if (!s->log_cap)
		return;
	if (!s->log)
		s->log = mem_calloc(s->log_cap, sizeof(*s->log));
	e = &s->log[s->log_count++ % s->log_cap];
	entry_clear(e);
	*e = (struct log_entry){.seq = r->seq,
		.op = r->op,
		.is_batch_key = is_batch_key,
		.status = r->answer.status,
		.started_ms = r->started_ms,
		.done_ms = clk_mono_ms(),
		.bucket = mem_strdup(r->bucket ? r->bucket : ""),
		.key = mem_dup(key.ptr, key.len),
		.code = r->answer.code[0] ? mem_strdup(r->answer.code) : NULL,
		.key_len = key.len};
}

void stats_request(struct stats *s, const struct req *r)
{
	bool error = r->answer.code[0];

	s->ops[r->op].requests++;
	s->ops[r->op].errors += error;
	s->ops[r->op].throttled += !strcmp(r->answer.code, "SlowDown");
	s->bytes_in += r->body_len;
	if (strcmp(r->method, "HEAD"))
		s->bytes_out += r->answer.data ? r->answer.data_len : r->answer.body.len;
	log_add(s, r, r->key, false);
	for (size_t i = 0; i < r->key_count; i++)
		log_add(s, r, r->keys[i], true);
}

cJSON *stats_json(const struct stats *s)
{
	cJSON *json = cJSON_CreateObject(), *ops = cJSON_AddObjectToObject(json, "ops");
	uint64_t requests = 0, errors = 0, throttled = 0;

	for (int i = 0; i < OP__COUNT; i++) {
		cJSON *op;

		if (!s->ops[i].requests)
			continue;
		op = cJSON_AddObjectToObject(ops, op_name((enum op)i));
		cJSON_AddNumberToObject(op, "requests", (double)s->ops[i].requests);
		cJSON_AddNumberToObject(op, "errors", (double)s->ops[i].errors);
		cJSON_AddNumberToObject(op, "throttled", (double)s->ops[i].throttled);
		requests += s->ops[i].requests;
		errors += s->ops[i].errors;
		throttled += s->ops[i].throttled;
	}
	cJSON_AddNumberToObject(json, "requests", (double)requests);
	cJSON_AddNumberToObject(json, "errors", (double)errors);
	cJSON_AddNumberToObject(json, "throttled", (double)throttled);
	cJSON_AddNumberToObject(json, "keys_deleted", (double)s->keys_deleted);
	cJSON_AddNumberToObject(json, "bytes_in", (double)s->bytes_in);
	cJSON_AddNumberToObject(json, "bytes_out", (double)s->bytes_out);
	cJSON_AddNumberToObject(json, "connections_opened", (double)s->connections_opened);
	cJSON_AddNumberToObject(json, "connections_open", s->connections_open);
	cJSON_AddNumberToObject(json, "connections_peak", s->connections_peak);
	cJSON_AddNumberToObject(json, "in_flight", s->in_flight);
	cJSON_AddNumberToObject(json, "in_flight_peak", s->in_flight_peak);
	cJSON_AddNumberToObject(json, "aborted", (double)s->aborted);
	return json;
}

static void log_clear(struct stats *s)
{
	for (size_t i = 0; s->log && i < s->log_cap; i++)
		entry_clear(&s->log[i]);
	s->log_count = 0;
}

void stats_reset(struct stats *s)
{
	log_clear(s);
	*s = (struct stats){.connections_open = s->connections_open,
		.connections_peak = s->connections_open,
		.in_flight = s->in_flight,
		.in_flight_peak = s->in_flight,
		.log = s->log,
		.log_cap = s->log_cap};
}

/* Bytes of the UTF-8 sequence (RFC 3629) at `p`, 0 when there is none. */
static size_t utf8_len(const unsigned char *p, size_t len)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = p[0] & (0xff >> (n + 1));

	if (n == 1)
		return 1;
	if (!n || n > len || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n;
}

void json_text(struct buf *out, struct bytes s)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.len;) {
		unsigned char c = (unsigned char)s.ptr[i];
		size_t n = utf8_len((const unsigned char *)s.ptr + i, s.len - i);

		if (!n)
			buf_addf(out, "\\udc%02x", c);
		else if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < 32 || c == 127)
			buf_addf(out, "\\u%04x", c);
		else
			buf_add(out, s.ptr + i, n);
		i += n ? n : 1;
	}
	buf_addc(out, '"');
}

void stats_log(const struct stats *s, size_t n, struct buf *out)
{
	uint64_t kept = s->log_count < s->log_cap ? s->log_count : s->log_cap;

	if (n > kept)
		n = (size_t)kept;
	for (uint64_t i = s->log_count - n; i < s->log_count; i++) {
		const struct log_entry *e = &s->log[i % s->log_cap];

		buf_addf(out,
			"{\"seq\":%llu,\"op\":\"%s%s\",\"bucket\":", (unsigned long long)e->seq,
			op_name(e->op), e->is_batch_key ? "/key" : "");
		json_text(out, BYTES_STR(e->bucket));
		buf_adds(out, ",\"key\":");
		json_text(out, BYTES(e->key, e->key_len));
		buf_addf(out,
			",\"status\":%d,\"code\":\"%s\",\"start_ms\":%lld,\"done_ms\":%lld}\n",
			e->status, e->code ? e->code : "", (long long)e->started_ms,
			(long long)e->done_ms);
	}
}

void stats_free(struct stats *s)
{
	log_clear(s);
	free(s->log);
}
