"""All metrics with their dimensions: those that AWS documents, and those that our code emits."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping

from chalicelib.observability import telemetry

Dimensions = frozenset[str]

_DIRECTIVES = [
    *json.loads(telemetry.directives(has_statements=True, has_problem=True)),
    telemetry.relay_directive(),
]
OURS: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
for _directive in _DIRECTIVES:
    for _dimensions in _directive["Dimensions"]:
        OURS[tuple(_dimensions)].update(metric["Name"] for metric in _directive["Metrics"])

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
API_GATEWAY = {
    "4XXError",
    "5XXError",
    "CacheHitCount",
    "CacheMissCount",
    "Count",
    "IntegrationLatency",
    "Latency",
}
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
LAMBDA = {
    "AsyncEventAge",
    "AsyncEventsDropped",
    "AsyncEventsReceived",
    "ConcurrentExecutions",
    "Duration",
    "Errors",
    "Invocations",
    "Throttles",
}
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.AuroraMonitoring.Metrics.html
# and .../aurora-serverless-v2.setting-capacity.html for the first two, which are averages of the
# cluster's instances; dimensions: .../dimensions.html
AURORA_CLUSTER = {
    "ACUUtilization",
    "ServerlessDatabaseCapacity",
    "VolumeBytesUsed",
    "VolumeReadIOPs",
    "VolumeWriteIOPs",
}
AURORA_INSTANCE = {
    "CPUUtilization",
    "CommitLatency",
    "DMLLatency",
    "DatabaseConnections",
    "Deadlocks",
    "FreeableMemory",
    "SelectLatency",
}
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html
LOGS = {"IncomingBytes", "IncomingLogEvents"}

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
QUEUES = {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"}

# https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
FIREHOSE = {"DeliveryToS3.DataFreshness", "DeliveryToS3.Success"}

EMITTED: Mapping[str, Mapping[tuple[str, ...], Collection[str]]] = {
    "AWS/ApiGateway": {("ApiName", "Stage"): API_GATEWAY},
    "AWS/Firehose": {("DeliveryStreamName",): FIREHOSE},
    "AWS/Lambda": {("FunctionName",): LAMBDA},
    "AWS/RDS": {
        ("DBClusterIdentifier",): AURORA_CLUSTER,
        ("DBClusterIdentifier", "Role"): AURORA_INSTANCE,
    },
    "AWS/Logs": {("LogGroupName",): LOGS},
    "AWS/SQS": {("QueueName",): QUEUES},
    "Customers": OURS,
}

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-variables-for-access-logging.html
# Only variables without personal data: no address, agent or principal, no path as it was sent.
ACCESS_LOG_VARIABLES = {
    "authorizer.latency",
    "authorizer.status",
    "error.responseType",
    "httpMethod",
    "identity.apiKeyId",
    "integration.latency",
    "integration.status",
    "requestId",
    "resourcePath",
    "responseLatency",
    "responseLength",
    "stage",
    "status",
    "xrayTraceId",
}

# The fields of the lines `request` and `audit`, and of error lines.
LINE_MEMBERS = {
    "caller",
    "duration_ms",
    "error",
    "level",
    "message",
    "operation",
    "problem",
    "replayed",
    "request_id",
    "route",
    "statements",
    "status",
    "trace_id",
    "version",
    "where",
}
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
DISCOVERED_FIELDS = {
    "@initDuration",
    "@log",
    "@maxMemoryUsed",
    "@message",
    "@timestamp",
    "@type",
}
