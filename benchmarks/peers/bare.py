"""A handwritten handler with boto3's client and json. All ratios refer to it.

https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

import boto3

from benchmarks.peers.handwritten import Handler
from benchmarks.peers.rules import by_boto3

handler = Handler(by_boto3(boto3.client("rds-data")))
