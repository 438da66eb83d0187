"""A random Llama small enough for every test: a Hugging Face directory with a byte-level BPE tokenizer of its own."""

import io
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import torch
from sentencepiece import SentencePieceTrainer
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 400
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

CHAT_TEMPLATE = """\
{% for message in messages %}\
{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful assistant.<|im_end|>
' }}{% endif %}\
{{ '<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>
' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""

TEXT = (
    "The old ferryman tied his boat to the willow and counted the coins of the day. There were seven of them, and "
    "the smallest was worth more to him than all the others, because a child had given it.",
    "In the morning the market opened before the sun was over the roofs. Farmers set out cabbages, onions, pears and "
    "baskets of eggs; a tailor hung up three coats; nobody bought anything until the baker came.",
    "A letter travels faster when the roads are dry. This one took nine days from the capital to the border, and when "
    "the captain had read it he folded it twice and put it into his sleeve without a word.",
    "She measured the length of the table, the height of the window and the width of the door, and she wrote the "
    "numbers down: 182, 96 and 74. Then she measured again, since the first carpenter had been wrong.",
    "The river rises in spring. When it rises the people move their animals to the hill, and when it falls they move "
    "them back, and the fields between the river and the hill are the best fields in the whole valley.",
    "To make the soup, wash the beans, leave them in water over night, boil them with salt and a little ginger, and "
    "do not lift the lid. To make the soup better, wait until the next day before you eat it.",
    "Why does the moon look larger near the ground? It does not; measure it with a coin held at the length of your "
    "arm, and you will find that the coin covers it as well at the horizon as it does high in the sky.",
    "老船夫把小船系在柳树下，数了数今天的铜钱。一共七枚，最小的那一枚是一个孩子给的，他最舍不得花。",
    "天还没亮，集市就开了。农人摆出白菜、洋葱、梨子和一筐筐鸡蛋，裁缝挂起三件衣服，等着第一位客人。",
    "路干的时候，信走得快。这封信从京城到边关走了九天，将军读完，折了两折，放进袖子里，什么也没有说。",
    "她量了桌子的长、窗子的高和门的宽，把数字一一写下来，然后又量了一遍，因为上一位木匠量错了。",
    "春天河水上涨，人们把牛羊赶到山上；河水退了，再把牛羊赶回来。河与山之间的田，是谷中最好的田。",
    "先把豆子洗净，泡一夜，加盐和一点姜煮开，不要揭盖。想要汤更好喝，就等到第二天再喝。",
)


def make_tiny_model(directory: Path, *, tied: bool = True, seed: int = 0) -> None:
    """Write a Hugging Face model directory: Llama with 2 layers of width 32, 400 tokens, ChatML template.

    `tied` shares the embedding with the head. The same `seed` writes the same weights.
    """
    tokenizer = make_tiny_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=tied,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def make_tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE learned from `TEXT`: `<|im_start|>` begins, `<|im_end|>` ends, `<|endoftext|>` pads."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    backend.decoder = decoders.ByteLevel()
    backend.train_from_iterator(
        TEXT,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )


def write_sentencepiece(path: Path, vocabulary: int = VOCABULARY) -> None:
    """Write a `tokenizer.model` as Llama 2 has one: SentencePiece BPE with bytes for unknown characters."""
    content = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(text for text in TEXT if text.isascii()),
        model_writer=content,
        vocab_size=vocabulary,
        model_type="bpe",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        num_threads=1,
        minloglevel=2,
    )
    path.write_bytes(content.getvalue())


def join_neighbours(base: Tokenizer, texts: tuple[str, ...], number: int) -> Tokenizer:
    """`base` with a new token, its ids following the old ones, for each of the `number` commonest pairs in `texts`."""
    pairs: Counter[tuple[str, str]] = Counter()
    for text in texts:
        for piece, _ in base.pre_tokenizer.pre_tokenize_str(text):
            pairs.update(pairwise(token.value for token in base.model.tokenize(piece)))
    description = json.loads(base.to_str())
    for left, right in sorted(pairs, key=lambda pair: (-pairs[pair], pair))[:number]:
        description["model"]["vocab"].setdefault(left + right, len(description["model"]["vocab"]))
        description["model"]["merges"].append([left, right])
    return Tokenizer.from_str(json.dumps(description))
