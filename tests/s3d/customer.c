/* Keys of SSE-C: see customer.h. One thread. */
#include "customer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

#define KEY_LEN 32
#define MD5_BASE64_SIZE 25

static const char *header(const struct req *r, bool of_source, const char *end)
{
	char name[80];

	snprintf(name, sizeof(name), "x-amz-%sserver-side-encryption-customer-%s",
		of_source ? "copy-source-" : "", end);
	return req_header(r, name);
}

static bool is_key(const char *key, const char *md5)
{
	size_t len = 0;
	uint8_t *raw = hash_unbase64(key, &len), sum[MD5_LEN];
	char text[MD5_BASE64_SIZE];

	if (!raw)
		return false;
	hash_md5(raw, len, sum);
	hash_base64(sum, sizeof(sum), text);
	free(raw);
	return len == KEY_LEN && !strcmp(text, md5);
}

bool customer_key_ok(struct req *r, bool of_source)
{
	const char *how = header(r, of_source, "algorithm"), *key = header(r, of_source, "key");
	const char *md5 = header(r, of_source, "key-md5");

	if (!how && !key && !md5)
		return true;
	if (!how || !key || !md5)
		req_error(r, "InvalidArgument",
			"Requests specifying Server Side Encryption with Customer provided keys "
			"must provide the client calculated MD5 of the secret key.");
	else if (strcmp(how, "AES256"))
		req_error(r, "InvalidEncryptionAlgorithmError", NULL);
	else if (!is_key(key, md5))
		req_error(r, "InvalidArgument",
			"The calculated MD5 hash of the key did not match the hash that was "
			"provided.");
	else if (!of_source && req_header(r, "x-amz-server-side-encryption"))
		req_error(r, "InvalidArgument",
			"Server Side Encryption with Customer provided key is incompatible with "
			"the encryption method specified");
	else
		return true;
	return false;
}

bool customer_key_fits(struct req *r, bool of_source, const struct kvs *meta)
{
	const char *wanted = kvs_get(meta, "x-amz-server-side-encryption-customer-key-md5");
	const char *got = header(r, of_source, "key-md5");

	if (r->is_control)
		return true;
	if (!customer_key_ok(r, of_source))
		return false;
	if (wanted && !got)
		req_error(r, "InvalidRequest",
			"The object was stored using a form of Server Side Encryption. The correct "
			"parameters must be provided to retrieve the object.");
	else if (!wanted && got)
		req_error(r, "InvalidRequest",
			"The encryption parameters are not applicable to this object.");
	else if (wanted && strcmp(wanted, got))
		req_error(r, "AccessDenied", NULL);
	else
		return true;
	return false;
}

void customer_seal(const struct req *r, struct data *data)
{
	const char *key_md5 = header(r, false, "key-md5");
	uint8_t sum[MD5_LEN];

	if (!key_md5)
		return;
	hash_md5_begin();
	hash_md5_add(data->etag, strlen(data->etag));
	hash_md5_add(key_md5, strlen(key_md5));
	hash_md5_end(sum);
	hash_hex(sum, sizeof(sum), data->etag);
}
