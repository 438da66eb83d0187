"""Talk to a model on the terminal.

Usage:
    python scripts/chat.py --files config/qwen3-0.6b.yaml
    python scripts/chat.py --model results/sft_model
    python scripts/chat.py --model results/sft_model --prompt '关羽是谁？' --temperature 0

The chat template writes the date of sft.date, or today's where a model of another origin asks for it.

In a conversation: /reset forgets what was said, /quit (or Ctrl-D) ends, Ctrl-C stops an answer. Pasted lines stay
together; Alt-Enter begins a new line.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    TextStreamer,
)

from lib.chat.answers import Message, chat_ids, end_tokens
from lib.core.errors import UserError
from lib.core.program import program_parser, run, visible
from lib.models.compute import pick_device
from lib.models.loading import load_model, load_tokenizer, quiet_libraries
from lib.runs.models import finished_model
from lib.runs.names import run_folder, run_name
from lib.runs.settings_files import read_settings

HELP = "/reset forgets the conversation, /quit ends it, Ctrl-C stops an answer."


class VisibleText(TextStreamer):
    """Prints an answer while it is made, without what would command the terminal."""

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        super().on_finalized_text(visible(text), stream_end)


class Chat:
    """A conversation with a model: what was said so far, and how answers are chosen."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        *,
        system: str = "",
        temperature: float = 0.7,
        top_p: float = 0.9,
        repetition_penalty: float = 1.0,
        max_new_tokens: int = 256,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.max_new_tokens = max_new_tokens
        self.context: int = model.config.get_text_config().max_position_embeddings
        if max_new_tokens >= self.context:
            raise UserError(f"--max-new-tokens must be less than the {self.context} tokens that the model can hold")
        self.start: list[Message] = [{"role": "system", "content": system}] if system else []
        self.turns: list[Message] = []
        self.ends = end_tokens(model, tokenizer)
        sampling = {"temperature": temperature, "top_p": top_p} if temperature > 0 else {}
        self.settings = GenerationConfig(
            max_new_tokens=max_new_tokens,
            do_sample=temperature > 0,
            repetition_penalty=repetition_penalty,
            eos_token_id=self.ends,
            pad_token_id=self.ends[0],
            **sampling,
        )

    def reset(self) -> None:
        """Forget what was said."""
        self.turns.clear()

    def say(self, text: str) -> str:
        """Answer `text`, printing the answer while it is made. An exchange that is interrupted leaves no trace."""
        turns, ids = self._fitting([*self.turns, {"role": "user", "content": text}])
        prompt = torch.tensor([ids], device=self.model.device)
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                generation_config=self.settings,
                streamer=VisibleText(self.tokenizer, skip_prompt=True, skip_special_tokens=True),
            )
        answer = str(self.tokenizer.decode(output[0, len(ids) :], skip_special_tokens=True)).strip()
        self.turns = [*turns, {"role": "assistant", "content": answer}]
        return answer

    def _fitting(self, turns: list[Message]) -> tuple[list[Message], list[int]]:
        """The conversation and its ids, without the oldest turns where all would not fit into the model's context."""
        room = self.context - self.max_new_tokens
        ids = chat_ids(self.tokenizer, [*self.start, *turns])
        while len(ids) > room and len(turns) > 2:
            turns = turns[2:]
            ids = chat_ids(self.tokenizer, [*self.start, *turns])
            print("(the oldest question and answer no longer fit and are forgotten)", file=sys.stderr)
        if len(ids) > room:
            raise UserError(f"the message takes {len(ids)} tokens with the template; {room} fit")
        return turns, ids


def converse(chat: Chat) -> None:
    """Read questions until /quit or the end of the input."""
    print(HELP)
    ask = question_reader()
    while True:
        try:
            text = ask().strip()
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print("\n(/quit or Ctrl-D ends the conversation)", end="")
            continue
        if text == "/quit":
            return
        if text == "/reset":
            chat.reset()
            print("(forgotten)")
        elif text.startswith("/"):
            print(HELP)
        elif text:
            try:
                chat.say(text)
            except KeyboardInterrupt:
                print("\n(stopped)")
            except UserError as error:
                print(f"({visible(str(error))})")


def question_reader() -> Callable[[], str]:
    """What reads a question: a line editor on a terminal, else plain lines. It raises EOFError at the end."""
    if not sys.stdin.isatty():
        return lambda: input("\n> ")
    keys = KeyBindings()
    keys.add("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
    session: PromptSession[str] = PromptSession("\n> ", key_bindings=keys, prompt_continuation="  ")
    return session.prompt


def load(directory: Path, gpu: int) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model in `directory`, or of the last stage of a run with these results; UserError when there is none."""
    directory = finished_model(directory)
    return load_model(directory, pick_device(gpu)), load_tokenizer(directory)


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--model", type=Path, default=Path("results"), help="model, or results of a run")
    parser.add_argument("--files", nargs="*", type=Path, help="settings files of a run, instead of --model")
    parser.add_argument("--prompt", help="answer this and stop, instead of a conversation")
    parser.add_argument("--system", default="", help="system message; the chat template's own when not given")
    parser.add_argument("--temperature", type=float, default=0.7, help="0 always takes the most likely token")
    parser.add_argument("--top-p", type=float, default=0.9, help="sample from the likeliest tokens of this total")
    parser.add_argument("--repetition-penalty", type=float, default=1.1, help="above 1: what was said is less likely")
    parser.add_argument("--max-new-tokens", type=int, default=256, help="longest answer")
    parser.add_argument("--seed", type=int, help="the same seed gives the same answers")
    parser.add_argument("--gpu", type=int, help="1 computes on a GPU, 0 on the CPU; as in the settings with --files")
    args = parser.parse_args()
    quiet_libraries()
    directory, gpu = args.model, args.gpu or 0
    if args.files is not None:
        settings = read_settings(args.files)
        directory = run_folder(run_name(settings.run, args.files)) / "results"
        gpu = min(settings.gpu, 1) if args.gpu is None else args.gpu
    model, tokenizer = load(directory, gpu)
    if args.seed is not None:
        torch.manual_seed(args.seed)
    chat = Chat(
        model,
        tokenizer,
        system=args.system,
        temperature=args.temperature,
        top_p=args.top_p,
        repetition_penalty=args.repetition_penalty,
        max_new_tokens=args.max_new_tokens,
    )
    if args.prompt is None:
        converse(chat)
    else:
        chat.say(args.prompt)


if __name__ == "__main__":
    run(main)
