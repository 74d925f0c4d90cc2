#!/bin/sh
# Make what the shared state lacks: the bucket of COTPD_REMOTE, the work pool, the deployments of prefect.yaml.
# Run again, it changes nothing but deployments that prefect.yaml has other settings for. Its argument is the project's
# folder, otherwise the one above this file.
set -eu
cd "${1:-$(dirname "$0")/..}"
python -c '
import os
from urllib.parse import urlparse
import boto3
from botocore.exceptions import ClientError

store, bucket = boto3.client("s3"), urlparse(os.environ["COTPD_REMOTE"]).netloc
try:
    store.head_bucket(Bucket=bucket)
except ClientError:
    store.create_bucket(Bucket=bucket)
'
prefect variable set cotpd_home "${COTPD_HOME:-$PWD}" --overwrite
prefect work-pool inspect cotpd >/dev/null 2>&1 || prefect work-pool create cotpd --type process
prefect --no-prompt deploy --all
