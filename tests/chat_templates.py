"""Chat templates that behave as those of well-known models do, written for the tests' tiny tokenizer.

Each is a template of its own: what a model's published template does with turns, thoughts, tools and dates is the same,
not its words. Turns begin with `<|im_start|>` and end with the end token, as far as the model's own do.
"""

from pathlib import Path

FOLDER = Path(__file__).parent / "unit" / "data" / "chat_templates"
FAMILIES = {path.stem: path.read_text(encoding="utf-8").removesuffix("\n") for path in sorted(FOLDER.glob("*.jinja"))}
DEEPSEEK_R1, LLAMA31, MISTRAL, QWEN3 = (FAMILIES[name] for name in ("deepseek_r1", "llama31", "mistral", "qwen3"))
