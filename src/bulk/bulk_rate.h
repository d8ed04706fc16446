/*
 * How fast writes may follow each other. There is no bound until S3 refuses one; then the rate is
 * cut to what S3 serves, once per throttling event, and tries for more, faster the longer nothing
 * is refused. Pure arithmetic without a clock of its own: tests feed it. Rates are writes a
 * millisecond; each key of a delete batch is one write.
 */
#ifndef BULK_BULK_RATE_H
#define BULK_BULK_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct bulk_rate {
	double rate;   /* 0: no bound */
	double tokens; /* writes that may be sent now; below 0 after a batch */
	int64_t tokens_ms;
	bool waited;       /* something had to wait for its time since the rate has grown */
	int64_t grown_ms;  /* the rate has grown for the time up to then */
	int64_t calm_ms;   /* of waiting without a refusal */
	uint64_t sent_seq; /* of the last request sent */
	uint64_t underway; /* writes whose answer is still to come */
	uint64_t cut_seq;  /* requests up to this one were sent at an older, higher rate */
	/* How long answers take, of late: S3 refuses at once, other servers in the same time. */
	double served_after_ms, refused_after_ms;
	/* The event under way: single writes since the first one was refused. */
	struct {
		int64_t since_ms; /* 0: there is none */
		uint64_t first_seq;
		unsigned served, refused;
	} event;
	/* What was sent, and served, of late: since the time before last when it was looked at. */
	struct bulk_flow {
		int64_t before_ms, since_ms, last_ms;
		uint64_t before, writes;
	} sent, served;
};

/* May something be sent? If not, *wait_ms says when to ask again. */
bool bulk_rate_admits(struct bulk_rate *r, int64_t now_ms, int64_t *wait_ms);
/* A request of so many writes is sent; `seq` numbers rise. */
void bulk_rate_sent(struct bulk_rate *r, uint64_t seq, unsigned writes, int64_t now_ms);
/* Its answer: so many of its writes were refused for being too many. */
void bulk_rate_answer(struct bulk_rate *r, uint64_t seq, unsigned writes, unsigned refused,
	int64_t sent_ms, int64_t now_ms);
/*
 * How many writes one request should have at most: those of a moment, since what S3 refuses of a
 * request it refuses as a whole.
 */
unsigned bulk_rate_batch(const struct bulk_rate *r, unsigned most);

#endif
