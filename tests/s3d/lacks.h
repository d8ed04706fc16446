/* What this server plays not to have, as some do not: --lacks. One thread. */
#ifndef S3D_LACKS_H
#define S3D_LACKS_H

#include "ops.h"

struct lacks {
	bool ops[OP__COUNT];  /* 501 NotImplemented */
	bool list_type;       /* is ignored: the answer is that of ListObjects */
	bool encoding;        /* encoding-type is ignored: names come as they are */
	bool encoding_at_all; /* it is refused: 400 InvalidArgument */
	bool copy_condition;  /* x-amz-copy-source-if-match is: 501 NotImplemented */
};

/* Reads "DeleteObjects,list-type,..."; false when a word is none of those. */
bool lacks_parse(struct lacks *lacks, const char *text);
/* Refuses the request if the server lacks what it needs; false: it does not. */
bool lacks_refuse(struct req *r);

#endif
