/* Owners and payers of buckets: see guard.h. One thread. */
#include "guard.h"

#include <string.h>

#include "s3d.h"

static bool check(struct req *r, const struct bucket *b, const char *owner_header)
{
	const char *owner = req_header(r, owner_header);
	const char *payer = req_header(r, "x-amz-request-payer");

	if (owner && (strlen(owner) != 12 || strspn(owner, "0123456789") != 12)) {
		req_error(r, "InvalidBucketOwnerAWSAccountID",
			"The value of the expected bucket owner parameter must be an AWS Account "
			"ID");
		return false;
	}
	if ((!owner || !strcmp(owner, b->owner ? b->owner : GUARD_OWNER)) &&
		(!b->requester_pays || (payer && !strcmp(payer, "requester"))))
		return true;
	req_error(r, "AccessDenied", NULL);
	return false;
}

bool guard_check(struct req *r)
{
	const struct bucket *b = r->bucket ? store_bucket(&r->srv->store, r->bucket) : NULL;

	return !b || (check(r, b, "x-amz-expected-bucket-owner") && account_check(r, b));
}

bool guard_check_source(struct req *r, const struct bucket *source)
{
	return check(r, source, "x-amz-source-expected-bucket-owner") &&
	       account_check_source(r, source);
}
