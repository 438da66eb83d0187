"""A finished model is uploaded to a hub that runs here, or only looked at."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from lib.core.manifest import write_manifest

PROGRAM = Path(__file__).parents[2] / "scripts" / "push.py"
CARD = "---\nlicense: mit\nmodel-index:\n- name: mine\n  results: []\n---\n\n# Mine\n"


class Hub:
    """The part of a hub's interface that an upload needs; remembers what was asked and what was committed."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.visibility = ""
        self.complaints: list[str] = []
        self.files: dict[str, bytes] = {}
        self.url = ""

    def answer(self, path: str, body: bytes) -> Any:
        if path == "/api/repos/create":
            self.visibility = json.loads(body)["visibility"]
            return {"url": f"{self.url}/me/mine", "id": "me/mine"}
        if path == "/api/validate-yaml":
            return {"errors": [{"message": message} for message in self.complaints], "warnings": []}
        if "/preupload/" in path:
            names = [file["path"] for file in json.loads(body)["files"]]
            return {"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]}
        if "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            return {"success": True, "commitUrl": f"{self.url}/me/mine/commit/1", "commitOid": "1"}
        return None


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or read_chunks(self.rfile)
            path = self.path.partition("?")[0]
            hub.requests.append(("POST", path, self.headers.get("Authorization", "")))
            answer = hub.answer(path, body)
            text = json.dumps(answer if answer is not None else {"error": "unknown"}).encode()
            self.send_response(404 if answer is None else 400 if answer.get("errors") else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    yield hub
    server.shutdown()


def read_chunks(stream: Any) -> bytes:
    """A body without a length."""
    body = b""
    while size := int(stream.readline().strip() or b"0", 16):
        body += stream.read(size)
        stream.readline()
    return body


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_text(CARD)
    (folder / "model.safetensors").write_bytes(bytes(range(256)))
    write_manifest(folder, inputs={}, counts={})
    (folder / ".snakemake_timestamp").touch()
    (folder / "notes.txt").write_text("mine alone")
    return folder


def push(model: Path, hub: Hub, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    command = [sys.executable, str(PROGRAM), "--model", str(model), "--repo", "me/mine", *arguments]
    variables = known | {"HF_ENDPOINT": hub.url, "HF_HOME": str(model.parent / "home"), **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=300)


def test_the_files_of_the_manifest_are_uploaded(model: Path, hub: Hub) -> None:
    pushed = push(model, hub, HF_TOKEN="hf_secret")
    assert pushed.returncode == 0, pushed.stderr
    assert set(hub.files) == {"README.md", "model.safetensors", "manifest.json", "made_with.json"}
    assert hub.files["model.safetensors"] == bytes(range(256))
    assert hub.visibility == "private"
    assert {token for _, path, token in hub.requests if "commit" in path} == {"Bearer hf_secret"}
    assert f"{hub.url}/me/mine/commit/1" in pushed.stdout
    assert "hf_secret" not in pushed.stdout + pushed.stderr


def test_a_card_that_the_hub_refuses_is_edited_and_pushed(model: Path, hub: Hub) -> None:
    hub.complaints = ["base_model is not valid"]
    pushed = push(model, hub, HF_TOKEN="hf_secret")
    assert pushed.returncode == 1
    assert pushed.stderr.startswith("error: the hub refused me/mine: ")
    assert "base_model is not valid" in pushed.stderr
    assert hub.files == {}
    hub.complaints = []
    (model / "README.md").write_text(CARD + "Edited.\n")
    assert push(model, hub, HF_TOKEN="hf_secret").returncode == 0
    assert hub.files["README.md"].endswith(b"Edited.\n")


def test_a_dry_run_sends_nothing(model: Path, hub: Hub) -> None:
    pushed = push(model, hub, "--dry-run")
    assert pushed.returncode == 0, pushed.stderr
    assert "push: model.safetensors (256 bytes)" in pushed.stdout
    assert "push: made_with.json" in pushed.stdout
    assert "4 files would be uploaded to me/mine; nothing was sent" in pushed.stdout
    assert hub.requests == []


def test_what_cannot_be_pushed_is_said_in_one_line(model: Path, hub: Hub) -> None:
    assert push(model, hub).stderr.startswith("error: set HF_TOKEN to a token of the hub")
    assert push(model, hub, "--repo", "not/a/name").stderr.startswith("error: --repo not/a/name: ")
    (model / "model.safetensors").write_bytes(b"torn")
    assert "model.safetensors is not the file that manifest.json describes" in push(model, hub).stderr
    assert push(model / "none", hub).stderr.startswith(f"error: {model / 'none'} does not exist; `make run` makes it")
    assert hub.requests == []
