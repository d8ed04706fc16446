dist_man_MANS += man/s3bulkfs.1
