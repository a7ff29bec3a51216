"""`python -m sextant_segmenter serve module:Class`, and `check`."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import ssl
import sys
from pathlib import Path

from .description import Description
from .segmenter import Segmenter
from .server import Server
from .testing import check_examples


def _class(name: str) -> type[Segmenter]:
    module, _, attribute = name.partition(":")
    if not attribute:
        raise SystemExit(f"{name}: write MODULE:CLASS, such as health:Health")
    sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise SystemExit(f"{name}: there is no module {module} in {os.getcwd()}, and none is installed") from None
    if not (isinstance(found, type) and issubclass(found, Segmenter)):
        raise SystemExit(f"{name}: module {module} has no Segmenter of that name")
    return found


def _certificate(chain: Path | None, private_key: Path | None) -> tuple[bytes, bytes] | None:
    """A private key and the chain of certificates for it."""
    if chain is None or private_key is None:
        return None
    key = _read(private_key)
    certificates = _read(chain)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, private_key)
    except ssl.SSLError as error:
        raise SystemExit(f"{chain} and {private_key} are no certificate and the key for it, both PEM: {error}") from None
    return key, certificates


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    token = _read(path).decode("utf-8", "replace").strip()
    if not token:
        raise SystemExit(f"{path}: is empty, and would let everybody ask")
    if not (token.isascii() and token.isprintable()):
        raise SystemExit(f"{path}: a token has printable ASCII characters only, in one line")
    return token


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f'"{text}" is no address with a port up to 65535, such as 127.0.0.1:8080')
    return text


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror}") from None


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sextant_segmenter", description="Serves a Python model as a Sextant segmenter")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="answer Sextant until Ctrl-C")
    serve.add_argument("segmenter", help="MODULE:CLASS, such as health:Health")
    serve.add_argument("--listen", type=_address, default="127.0.0.1:8080", help="address and port (default: %(default)s; port 0: a free one)")
    serve.add_argument("--token-file", type=Path, help="file with the token that Sextant has to send")
    serve.add_argument("--certificate", type=Path, help="file with its chain of certificates (PEM): callers speak TLS; needs --private-key")
    serve.add_argument("--private-key", type=Path, help="file with the key for it (PEM)")
    serve.add_argument("--workers", type=int, default=4, help="calls that are answered at one time (default: %(default)s)")
    check = commands.add_parser("check", help="hold it to the examples of its descriptor")
    check.add_argument("segmenter", help="MODULE:CLASS")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    segmenter = _class(arguments.segmenter)
    try:
        Description(segmenter)
    except (ValueError, OSError) as error:
        raise SystemExit(f"{arguments.segmenter}: {error}") from None
    if arguments.command == "check":
        try:
            number = check_examples(segmenter)
        except AssertionError as error:
            raise SystemExit(str(error)) from None
        print("1 example holds" if number == 1 else f"{number} examples hold")
        return
    if (arguments.certificate is None) != (arguments.private_key is None):
        parser.error("--certificate and --private-key need each other")
    certificate = _certificate(arguments.certificate, arguments.private_key)
    token = _token(arguments.token_file)
    try:
        server = Server(segmenter, listen=arguments.listen, token=token, workers=arguments.workers, certificate=certificate)
    except RuntimeError as error:
        raise SystemExit(f"cannot listen at {arguments.listen}, which has to be an address of this machine with a port that is free: {error}") from None
    with server:
        print(f"{server.description.id} {server.description.version} answers at {server.address}", flush=True)
        server.wait()


if __name__ == "__main__":
    main()
