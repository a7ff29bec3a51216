"""The generated code is what the .proto file says."""

import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from sextant_segmenter.contract import evaluation_service_pb2 as pb

PROTO = Path(__file__).resolve().parents[3] / "proto"
FILE = "sextant/segmenter/v1/evaluation_service.proto"


def test_the_generated_code_is_what_the_proto_file_says():
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "set"
        assert protoc.main(["protoc", f"-I{PROTO}", f"--descriptor_set_out={into}", FILE]) == 0
        written = descriptor_pb2.FileDescriptorSet.FromString(into.read_bytes()).file[0]
    generated = descriptor_pb2.FileDescriptorProto.FromString(pb.DESCRIPTOR.serialized_pb)
    for one in (written, generated):
        # Which names json has for fields is told by the newer compilers only.
        for message in one.message_type:
            for field in message.field:
                field.ClearField("json_name")
    assert generated == written, "run python generate.py"
