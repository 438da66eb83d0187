r"""Fetch the base model and write it as a Hugging Face directory: safetensors, tokenizer, chat template.

    python scripts/base_model.py --settings '{"uri": "path/to/model", "dtype": "float32"}' \
        --downloads work/downloads --output results/base_model/manifest.json

Takes a Hugging Face directory with safetensors, a directory with one of Meta's original Llama checkpoints, or a GGUF
file. Runs no code from the model's folder and unpickles nothing but tensors. A directory's weights pass through memory
in pieces of a gigabyte; a GGUF file is unpacked whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.base_model.families import check_before_fetching, check_model_type
from lib.core.errors import UserError, about
from lib.core.integrity import described_directory, require_intact
from lib.core.manifest import write_manifest
from lib.core.program import program_parser, run, say
from lib.settings.base import from_json
from lib.settings.base_model import BaseModelSettings
from lib.sources.addresses import fetched, files_in
from lib.sources.hub import MODEL_FILES

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True)
class BaseModel:
    """A base model that is about to be written, and where its parts came from."""

    model: "PreTrainedModel"
    """Its configuration and shapes; of a directory's model, the weights are not in here."""
    tensors: Iterable[tuple[str, "torch.Tensor"]]
    """Names and weights, read as they are asked for."""
    tokenizer: "PreTrainedTokenizerFast"
    license: str | None
    files: dict[str, Path]
    """What was read, by name."""


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--downloads", type=Path, default=Path("work/downloads"))
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = from_json(BaseModelSettings, args.settings)

    check_before_fetching(settings.uri)
    say(f"base_model: fetching {settings.uri}")
    with fetched(
        settings.uri, args.downloads, settings.sha256, report=lambda line: say(f"base_model: fetching: {line}")
    ) as path:
        base = load(path, settings.dtype)
        check(base.model, base.tokenizer)
        with described_directory(args.output.parent) as directory:
            write(base, settings, directory)


def load(path: Path, dtype: str) -> BaseModel:
    """The model in the directory or GGUF file at `path`; a GGUF file's weights are unpacked to `dtype`."""
    # Seconds of imports: not before everything is fetched.
    import torch

    from lib.base_model.gguf import is_gguf, load_gguf
    from lib.base_model.meta_checkpoint import is_meta_checkpoint
    from lib.models.loading import quiet_libraries

    quiet_libraries()
    if path.is_dir() and is_meta_checkpoint(path):
        say(f"base_model: converting Meta's checkpoint in {path.name}")
        return load_meta_checkpoint(path)
    if path.is_dir():
        say(f"base_model: reading the model directory {path.name}")
        return load_directory(path)
    if not is_gguf(path):
        raise UserError(
            f"{path}: a base model is a directory with config.json and safetensors, one with Meta's params.json and "
            "consolidated.*.pth, or a GGUF file"
        )
    say(f"base_model: converting {path.name} ({path.stat().st_size / 1e6:.1f} MB) to {dtype}")
    found = load_gguf(path, getattr(torch, dtype))
    for warning in found.warnings:
        say(f"base_model: warning: {warning}")
    with about(str(path)):
        check_model_type(found.model.config.model_type)
    weights = as_published(found.model.config, found.model.named_parameters())
    return BaseModel(found.model, weights.items(), found.tokenizer, found.license, {path.name: path})


def load_directory(directory: Path) -> BaseModel:
    """A Hugging Face directory's model; UserError, with the file's name, for anything that is not right."""
    from transformers import AutoConfig, GenerationConfig

    from lib.base_model.model_directory import check_directory, read_license, weight_files
    from lib.base_model.tokenizer_model import check_against_sentencepiece
    from lib.base_model.weight_files import expected, read_weights
    from lib.models.loading import WEIGHTS_AND_CONFIGS, load_tokenizer

    check_directory(directory)
    require_intact(directory, *WEIGHTS_AND_CONFIGS)
    try:
        model = skeleton(AutoConfig.from_pretrained(directory, trust_remote_code=False))
    except Exception as error:  # whatever transformers makes of a configuration that it does not understand
        raise UserError(f"{directory}: transformers cannot load this model: {_one_line(error)}") from None
    if (directory / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(directory)
    try:
        tokenizer = load_tokenizer(directory)
    except Exception as error:
        raise UserError(f"{directory}: transformers cannot load the tokenizer: {_one_line(error)}") from None
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(f"{directory}: the tokenizer has no tokenizer.json; only such tokenizers can be used")
    if not (directory / "tokenizer.json").is_file() and (directory / "tokenizer.model").is_file():
        check_against_sentencepiece(tokenizer, directory / "tokenizer.model")
    tensors = expected(read_weights(weight_files(directory)), shapes(model), str(directory))
    license_name = read_license(directory / "README.md")
    return BaseModel(model, tensors, tokenizer, license_name, _files(directory))


def load_meta_checkpoint(directory: Path) -> BaseModel:
    """A model as Meta publishes it; UserError, with the file's name, for anything that is not right."""
    from lib.base_model.meta_checkpoint import config_of, converted, open_shards
    from lib.base_model.model_directory import read_license, read_object
    from lib.base_model.tokenizer_model import check_against_sentencepiece, read_tokenizer_model
    from lib.base_model.weight_files import expected

    params = read_object(directory / "params.json")
    shards = open_shards(directory)
    config = config_of(params, shards, str(directory / "params.json"))
    tokenizer = read_tokenizer_model(directory / "tokenizer.model", config.max_position_embeddings)
    check_against_sentencepiece(tokenizer, directory / "tokenizer.model")
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    model = skeleton(config)
    tensors = expected(converted(shards, config, shapes(model), str(directory)), shapes(model), str(directory))
    return BaseModel(model, tensors, tokenizer, read_license(directory / "README.md"), _files(directory))


def skeleton(config: Any) -> "PreTrainedModel":
    """A model of `config` whose weights have shapes but no memory."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    model.generation_config = GenerationConfig()
    return model


def shapes(model: "PreTrainedModel") -> dict[str, "torch.Size"]:
    """Names and shapes of the weights as files hold them; a tied head is not among them."""
    return {name: weight.shape for name, weight in as_published(model.config, model.named_parameters()).items()}


def as_published(config: Any, weights: Iterable[tuple[str, "torch.Tensor"]]) -> dict[str, "torch.Tensor"]:
    """The weights of a model of `config` by the names of their files; transformers stacks experts in memory."""
    from transformers.core_model_loading import revert_weight_conversion

    published: dict[str, torch.Tensor] = revert_weight_conversion(skeleton(config), dict(weights))
    return published


def check(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast") -> None:
    """Raise UserError unless embedding, head, configuration and tokenizer fit together.

    More rows than tokens is padding, and fine; fewer would fail on the first rare token.
    """
    from lib.models.loading import check_sizes

    if not hasattr(model.config, "vocab_size") or model.get_output_embeddings() is None:
        raise UserError(f"{type(model).__name__} is not a plain language model; choose one for text alone")
    check_sizes(model, tokenizer)


def write(base: BaseModel, settings: BaseModelSettings, directory: Path) -> None:
    """The complete Hugging Face directory with its manifest, and a line that sums it up."""
    import torch

    from lib.base_model.weight_files import write_weights
    from lib.models.document_tokens import find_document_tokens, token_facts
    from lib.models.loading import agree_on_padding
    from lib.models.publishing import complete_config, publish_tokenizer

    model, tokenizer = base.model, base.tokenizer
    document = find_document_tokens(tokenizer, model.config.model_type, settings.document_start, settings.document_end)
    facts = token_facts(document, tokenizer)
    agree_on_padding(model, tokenizer)
    model.config.architectures = [type(model).__name__]
    model.config.dtype = getattr(torch, settings.dtype)
    model.config.save_pretrained(directory)
    complete_config(directory)
    complete_generation_config(model, tokenizer)
    model.generation_config.save_pretrained(directory)
    write_weights(base.tensors, directory, model.config.dtype)
    publish_tokenizer(tokenizer, directory)
    size = sum(path.stat().st_size for path in directory.glob("*.safetensors"))
    counts = {
        "parameters": model.num_parameters(),
        "layers": model.config.num_hidden_layers,
        "vocabulary": len(tokenizer),
        "embedding_rows": model.config.vocab_size,
        "bytes": size,
    }
    write_manifest(
        directory,
        inputs=base.files,
        counts=counts,
        settings=settings,
        packages=["torch", "transformers", "tokenizers", "gguf", "sentencepiece"],
        facts={
            "uri": settings.uri,
            "architecture": type(model).__name__,
            "dtype": settings.dtype,
            "license": base.license,
            "chat_template": bool(tokenizer.chat_template),
            **facts,
        },
    )
    template = "with" if tokenizer.chat_template else "without"
    say(
        f"base_model: {counts['parameters'] / 1e6:.1f} M parameters, {counts['layers']} layers, "
        f"vocabulary {len(tokenizer):,}, "
        f"{template} a chat template, {size / 1e6:,.0f} MB in {settings.dtype}"
    )
    say(f"base_model: a document is read as {' '.join([*facts['document_start'], '…', *facts['document_end']])}")


def complete_generation_config(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast") -> None:
    """Fill in ids of the begin, end and padding tokens where the model gives none: from its config, its tokenizer."""
    generation = model.generation_config
    for key in ("bos_token_id", "eos_token_id", "pad_token_id"):
        for source in (model.config, tokenizer):
            if getattr(generation, key) is None:
                setattr(generation, key, getattr(source, key, None))
    if generation.pad_token_id is None:
        end = generation.eos_token_id
        generation.pad_token_id = end[0] if isinstance(end, list) else end
    try:
        generation.validate(strict=True)
    except ValueError:
        # Published models often give a temperature and leave sampling off; transformers reads that, but won't write it.
        generation.do_sample = True


def _files(directory: Path) -> dict[str, Path]:
    return {path.relative_to(directory).as_posix(): path for path in files_in(directory, MODEL_FILES)}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


if __name__ == "__main__":
    run(main)
