dist_man_MANS += man/s3bulkfs.1 man/s3bulkfsctl.1
