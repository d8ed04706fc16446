#!/usr/bin/python3
"""bench/article.py BUCKET SOURCE/ TARGET/ WORKERS: what s3bulkfs is compared with.

The script of the article, in its plainest form: list the objects below a prefix, then one
copy_object for each; WORKERS 0 is one after the other, else a thread pool of that size.
The endpoint is $S3_ENDPOINT, the credentials are boto3's usual ones.
"""
import concurrent.futures
import os
import sys

import boto3
import botocore.config


def main(bucket, source, target, workers):
    s3 = boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT"],
        config=botocore.config.Config(
            max_pool_connections=max(10, workers), s3={"addressing_style": "path"}
        ),
    )
    keys = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=source):
        keys += [o["Key"] for o in page.get("Contents", [])]

    def copy(key):
        s3.copy_object(
            Bucket=bucket,
            Key=target + key[len(source) :],
            CopySource={"Bucket": bucket, "Key": key},
        )

    if workers == 0:
        for key in keys:
            copy(key)
    else:
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            list(pool.map(copy, keys))


main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
