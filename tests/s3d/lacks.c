/* What the server plays not to have: see lacks.h. One thread. */
#include "lacks.h"

#include <stdlib.h>
#include <string.h>

#include "req.h"
#include "s3d.h"
#include "util/mem.h"

static bool take_word(struct lacks *l, const char *word)
{
	enum op op = op_by_name(word);
	bool *flag = !strcmp(word, "list-type")              ? &l->list_type
		     : !strcmp(word, "encoding-type")        ? &l->encoding
		     : !strcmp(word, "encoding-type-at-all") ? &l->encoding_at_all
		     : !strcmp(word, "copy-source-if-match") ? &l->copy_condition
		     : op != OP_UNKNOWN                      ? &l->ops[op]
							     : NULL;

	if (flag)
		*flag = true;
	return flag != NULL;
}

bool lacks_parse(struct lacks *l, const char *text)
{
	char *words = mem_strdup(text), *at = words, *word;
	bool ok = true;

	while ((word = strsep(&at, ",")))
		ok = ok && take_word(l, word);
	free(words);
	return ok;
}

bool lacks_refuse(struct req *r)
{
	const struct lacks *l = &r->srv->lacks;

	if (l->encoding_at_all && req_param(r, "encoding-type")) {
		req_error(r, "InvalidArgument", "encoding-type is not supported");
		return true;
	}
	if (!l->ops[r->op] && !(l->copy_condition && req_header(r, "x-amz-copy-source-if-match")))
		return false;
	req_error(r, "NotImplemented", NULL);
	return true;
}
