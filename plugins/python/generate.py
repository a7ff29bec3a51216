"""Writes sextant_segmenter/contract from the .proto file: `python generate.py`, with grpcio-tools 1.62 installed."""

import tempfile
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
FILE = "sextant/segmenter/v1/evaluation_service.proto"
INTO = HERE / "sextant_segmenter" / "contract"
HEAD = "# Written by generate.py from proto/" + FILE + ".\n"


def generate() -> dict[str, str]:
    """The files by name."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["protoc", f"-I{PROTO}", f"--python_out={folder}", f"--pyi_out={folder}", f"--grpc_python_out={folder}", FILE]
        if protoc.main(arguments) != 0:
            raise SystemExit("protoc failed")
        files = {path.name: path.read_text(encoding="utf-8") for path in (Path(folder) / FILE).parent.iterdir()}
    # The package is of this one, not of the tree of .proto files.
    absolute = "from sextant.segmenter.v1 import evaluation_service_pb2"
    files = {name: HEAD + text.replace(absolute, "from . import evaluation_service_pb2") for name, text in files.items()}
    files["__init__.py"] = '"""The generated code of the contract."""\n'
    return files


def main() -> None:
    INTO.mkdir(exist_ok=True)
    for name, text in generate().items():
        (INTO / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
