"""llama.cpp itself, from the package xllamacpp: what it makes of a GGUF file."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from lib.core.errors import UserError

TIME_LIMIT = 600  # seconds for one answer


class LlamaCpp:
    """A GGUF file in llama.cpp's own server, which listens on the loopback interface of this machine."""

    def __init__(self, path: Path, context: int, threads: int) -> None:
        """Load the model in `path`, on the CPU, with room for `context` tokens; UserError when it is refused."""
        try:
            import xllamacpp
        except ImportError:
            raise UserError(
                "GGUF files are checked with llama.cpp, whose package xllamacpp is not installed; `make export` "
                "installs it, or: pip install -r envs/requirements-export.txt"
            ) from None
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(path)
        parameters.n_ctx, parameters.n_parallel, parameters.n_gpu_layers = context, 1, 0
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
        # Keys and values as exact as transformers has them.
        parameters.cache_type_k = parameters.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        parameters.warmup, parameters.fit_params, parameters.verbosity = False, False, 0
        try:
            self._server = xllamacpp.Server(parameters)
        except RuntimeError as error:
            raise UserError(f"{path.name}: llama.cpp refuses this file: {' '.join(str(error).split())}") from None
        address = self._server.listening_address.removeprefix("http://")
        self._connection = HTTPConnection(address, timeout=TIME_LIMIT)
        # A server that is given up before its loop runs would be waited for without end. An answer shows that it does.
        self.answer([0], 1)

    def tokens(self, text: str, *, special: bool) -> list[int]:
        """Ids of a text; with `special`, control tokens that are written in it count as such."""
        wanted = {"content": text, "add_special": False, "parse_special": special}
        return [int(number) for number in self._ask("tokenize", wanted)["tokens"]]

    def answer(self, prompt: Sequence[int], length: int) -> list[int]:
        """Ids of the most likely continuation of `prompt`, at most `length` of them."""
        wanted = {
            "prompt": list(prompt),
            "n_predict": length,
            "temperature": 0.0,
            "samplers": ["top_k"],
            "top_k": 1,
            "cache_prompt": False,
            "return_tokens": True,
        }
        return [int(number) for number in self._ask("completion", wanted)["tokens"]]

    def conversation(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The text of a conversation as llama.cpp renders the chat template of the file."""
        return str(self._ask("apply-template", {"messages": list(messages)})["prompt"])

    def _ask(self, path: str, content: Mapping[str, Any]) -> Any:
        self._connection.request("POST", f"/{path}", json.dumps(content), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        found = json.load(answer)
        if answer.status != HTTPStatus.OK:
            raise UserError(f"llama.cpp refuses what it is asked ({path}): {found}")
        return found
