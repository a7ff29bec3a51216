"""`serve` as its users call it: what is wrong is said in a sentence."""

import sys

import pytest

from sextant_segmenter import Segmenter, Server
from sextant_segmenter.__main__ import main

MODEL = """
from sextant_segmenter import Segmenter

class Model(Segmenter):
    descriptor = {
        "id": "test.model", "version": "1.0.0", "abi": "1.0", "title": "Test", "output": "single",
        "requires": [{"feature": "usage.logins_7d", "type": "int64", "on_missing": "skip_row"}],
        "segments": [{"key": "low"}],
    }

    def segment(self, rows, call):
        return ["low"] * rows.num_rows
"""


@pytest.fixture
def serve(tmp_path, monkeypatch):
    (tmp_path / "served_model.py").write_text(MODEL, encoding="utf-8")
    (tmp_path / "no.pem").write_text("nothing", encoding="utf-8")
    (tmp_path / "odd").write_bytes(b"caf\xe9")
    (tmp_path / "empty").write_text(" \n", encoding="utf-8")
    (tmp_path / "broken_model.py").write_text(MODEL.replace('"id": "test.model",', ""), encoding="utf-8")
    absent = "from sextant_segmenter import Segmenter\n\nclass Model(Segmenter):\n    descriptor = 'absent.json'\n"
    (tmp_path / "absent_descriptor.py").write_text(absent, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def called(*arguments):
        monkeypatch.setattr(sys, "argv", ["sextant_segmenter", "serve", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return str(ended.value)

    return called


def test_a_module_or_class_that_is_not_there_is_named(serve):
    assert "there is no module absent_module in " in serve("absent_module:Model")
    assert "module served_model has no Segmenter of that name" in serve("served_model:Other")


def test_files_that_are_not_there_or_not_what_they_should_be_are_named(serve):
    assert serve("served_model:Model", "--token-file", "token") == "token: No such file or directory"
    told = serve("served_model:Model", "--token-file", "odd")
    assert told == "odd: a token has printable ASCII characters only, in one line"
    assert serve("served_model:Model", "--token-file", "empty") == "empty: is empty, and would let everybody ask"
    told = serve("served_model:Model", "--certificate", "absent.pem", "--private-key", "no.pem")
    assert told == "absent.pem: No such file or directory"
    told = serve("served_model:Model", "--certificate", "no.pem", "--private-key", "no.pem")
    assert told.startswith("no.pem and no.pem are no certificate and the key for it")


def test_a_descriptor_that_is_not_there_or_cannot_be_used_is_named(serve):
    assert "absent.json" in serve("absent_descriptor:Model")
    assert serve("broken_model:Model").startswith("broken_model:Model: the descriptor of Model cannot be used")


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.1:99999", ":80", "127.0.0.1:http"])
def test_what_is_no_address_is_refused(serve, capsys, listen):
    assert serve("served_model:Model", "--listen", listen) == "2"
    assert f'"{listen}" is no address with a port' in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(serve):
    class Other(Segmenter):
        descriptor = {
            "id": "test.other",
            "version": "1.0.0",
            "abi": "1.0",
            "title": "Test",
            "output": "single",
            "requires": [],
            "segments": [{"key": "low"}],
        }

    with Server(Other) as server:
        listen = server.address.removeprefix("http://")
        assert f"cannot listen at {listen}" in serve("served_model:Model", "--listen", listen)
