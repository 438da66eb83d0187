"""Models of other families are refused by what is read of them without their weights."""

import json
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest

from lib.base_model.families import check_before_fetching, check_local
from lib.core.errors import UserError
from web_server import Site, serve


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve(Site()) as running:
        yield running


def gguf_file(path: Path, architecture: str) -> bytes:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_tensor("token_embd.weight", np.ones((64, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@pytest.mark.parametrize("content", ['{"model_type": "mixtral"}', "{}", "[]"])
def test_a_directory_here(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json: models of type .* are not supported; known types: llama \("):
        check_local(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "qwen3_moe"}')
    check_local(tmp_path)
    check_local(tmp_path / "nothing")


def test_a_gguf_file_on_a_server(site: Site, tmp_path: Path) -> None:
    site.files = {f"/{name}.gguf": gguf_file(tmp_path / name, name) for name in ("llama", "falcon")}
    check_before_fetching(f"{site.url}/llama.gguf")
    check_before_fetching(f"{site.url}/missing.gguf")
    with pytest.raises(UserError, match=r"falcon\.gguf: GGUF files of the architecture 'falcon' are not supported"):
        check_before_fetching(f"{site.url}/falcon.gguf")
    assert {wanted for _, _, wanted in site.requests} == {"bytes=0-4095"}


def test_a_directory_at_the_hub(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, site.url)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    config = "/org/tiny/resolve/v1/config.json"
    site.files = {config: json.dumps({"model_type": "mixtral"}).encode()}
    with pytest.raises(UserError, match=r"^hf:org/tiny@v1: config\.json: models of type 'mixtral' are not supported"):
        check_before_fetching("hf:org/tiny@v1")
    assert [path for _, path, _ in site.requests] == [config]
    check_before_fetching("hf:org/other@v1")  # fetching it tells what is wrong
