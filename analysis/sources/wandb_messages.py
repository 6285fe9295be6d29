"""The messages of a W&B log that an analysis reads, with the fields that it needs and their numbers on disk.

The client has the whole of them (``wandb.proto.wandb_internal_pb2``), but comes with itself, which takes a second to
import. Fields that are not named here are skipped when a record is parsed. The names are the client's.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_TYPES = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "sint64": FieldDescriptorProto.TYPE_SINT64,
    "string": FieldDescriptorProto.TYPE_STRING,
}
# By message the number of each field, its name and type, "*" where there may be several, and the group of which a
# message has one at most.
MESSAGES: dict[str, dict[int, str]] = {
    "Record": {
        1: "num int64",
        2: "history HistoryRecord record_type",
        5: "config ConfigRecord record_type",
        17: "run RunRecord record_type",
        18: "exit RunExitRecord record_type",
    },
    "HistoryRecord": {1: "item HistoryItem *"},
    "HistoryItem": {
        1: "key string",
        2: "nested_key string *",
        3: "none int32 value",
        4: "boolean bool value",
        5: "integer sint64 value",
        6: "number double value",
        7: "text string value",
        8: "json string value",
        16: "value_json string",
    },
    "ConfigRecord": {1: "update ConfigItem *", 2: "remove ConfigItem *"},
    "ConfigItem": {1: "key string", 2: "nested_key string *", 16: "value_json string"},
    "RunRecord": {
        1: "run_id string",
        2: "entity string",
        3: "project string",
        4: "config ConfigRecord",
        6: "run_group string",
        7: "job_type string",
        8: "display_name string",
        10: "tags string *",
        17: "start_time Timestamp",
        19: "telemetry TelemetryRecord",
    },
    "RunExitRecord": {1: "exit_code int32"},
    "Timestamp": {1: "seconds int64", 2: "nanos int32"},
    "TelemetryRecord": {5: "cli_version string"},
}


def _classes() -> dict[str, Any]:
    file = FileDescriptorProto(name="analysis/wandb.proto", package="analysis", syntax="proto3")
    for name, fields in MESSAGES.items():
        _describe(file.message_type.add(name=name), fields)
    pool = DescriptorPool()
    pool.Add(file)
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"analysis.{name}")) for name in MESSAGES}


def _describe(message: DescriptorProto, fields: dict[int, str]) -> None:
    groups: list[str] = []
    for number, described in fields.items():
        name, kind, *more = described.split()
        field = message.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        if kind in _TYPES:
            field.type = _TYPES[kind]
        else:
            field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".analysis.{kind}"
        if more == ["*"]:
            field.label = FieldDescriptorProto.LABEL_REPEATED
        elif more:
            if more[0] not in groups:
                groups.append(more[0])
                message.oneof_decl.add(name=more[0])
            field.oneof_index = groups.index(more[0])


CLASSES = _classes()
Record: Any = CLASSES["Record"]
RunRecord: Any = CLASSES["RunRecord"]
