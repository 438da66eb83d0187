"""What a base tokenizer may lack to be trained on conversations: a chat template with its tokens, a pad token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from lib.chat.known_templates import TEMPLATES

PAD_TOKENS = ("<|pad|>", "<pad>", "[PAD]", "<|finetune_right_pad_id|>", "<|endoftext|>")
"""Names that models give to a pad token, of which the first that is there and free is taken."""


@dataclass(frozen=True)
class Completion:
    """What is to be added to a tokenizer."""

    tokens: tuple[str, ...] = ()
    """Special tokens."""
    pad_token: str | None = None
    """None: the one that is there stays."""
    chat_template: str | None = None
    """Jinja; None: the one that is there, or none, stays."""


def completion(
    tokenizer: Tokenizer,
    config: Mapping[str, Any],
    has_template: bool,
    template: str,
    control_tokens: Sequence[str] = (),
) -> Completion:
    """What `tokenizer`, with its tokenizer_config.json, lacks.

    A pad token that is also the end token counts as none: masking it, a model would never learn to stop. `template` is
    a name in `lib.chat.known_templates.TEMPLATES`, given to a base that has none, or `none`; `control_tokens` are those
    that another template needs, which is given to the model later.
    """
    text = None
    if not has_template and template in TEMPLATES:
        text = TEMPLATES[template].text
        begin = _name(config.get("bos_token"))
        if begin and tokenizer.encode("").tokens[:1] == [begin]:
            text = "{{ bos_token }}" + text
        control_tokens = [*control_tokens, *TEMPLATES[template].control_tokens]
    tokens = missing_tokens(tokenizer, control_tokens)
    pad, end = _name(config.get("pad_token")), _name(config.get("eos_token"))
    if pad is not None and pad != end:
        return Completion(tokens, None, text)
    special = _special_tokens(tokenizer)
    taken = {end, _name(config.get("bos_token"))}
    pad = next((name for name in PAD_TOKENS if name in special - taken), PAD_TOKENS[0])
    return Completion((*tokens, *([pad] if pad not in special else [])), pad, text)


def missing_tokens(tokenizer: Tokenizer, control_tokens: Sequence[str]) -> tuple[str, ...]:
    """Those of `control_tokens` that are no special tokens of `tokenizer`."""
    special = _special_tokens(tokenizer)
    return tuple(token for token in dict.fromkeys(control_tokens) if token not in special)


def _special_tokens(tokenizer: Tokenizer) -> set[str]:
    return {token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special}


def _name(token: Any) -> str | None:
    """A token in tokenizer_config.json, which stands there as text or with its properties."""
    return token.get("content") if isinstance(token, Mapping) else token
