"""The published schemas, out of the packages that carry them.

`schemas.py ocsf VERSION CLASS` writes the JSON Schema of a class of events; `schemas.py otlp` reads lines of OTLP/JSON and fails
at the first that is no ExportLogsServiceRequest.
"""

import json
import sys

if sys.argv[1] == "ocsf":
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(sys.argv[2]))
    json.dump(schema.get_class_schema(sys.argv[3], []), sys.stdout)
else:
    from google.protobuf import json_format
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    for line in sys.stdin:
        request = json_format.Parse(line, ExportLogsServiceRequest())
        records = request.resource_logs[0].scope_logs[0].log_records
        print(len(records), records[0].event_name, records[0].time_unix_nano)
