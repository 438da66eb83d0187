"""The families of models that can be adapted: decoders of text whose linear layers carry adapters as they are."""

from lib.core.errors import UserError

MODEL_TYPES = {
    "llama": "Llama, SmolLM 1 and 2; Phi 4, InternLM and others in Llama's form",
    "mistral": "Mistral",
    "qwen2": "Qwen 2 and 2.5",
    "qwen3": "Qwen 3",
    "qwen3_moe": "Qwen 3 with experts, which stay as they are under an adapter",
    "qwen3_5_text": "Qwen 3.5, text",
    "smollm3": "SmolLM 3",
    "gemma3_text": "Gemma 3, text",
    "glm": "GLM 4",
    "glm4": "GLM 4 0414",
}
"""By what config.json calls them."""


def check_model_type(model_type: object) -> None:
    """Raise UserError unless `model_type`, as config.json calls it, is one of MODEL_TYPES."""
    if model_type not in MODEL_TYPES:
        known = ", ".join(f"{key} ({families})" for key, families in MODEL_TYPES.items())
        raise UserError(f"models of type {model_type!r} are not supported; known types: {known}")
