"""Multiple-choice questions from files in the layout of C-Eval and CMMLU, answered by likelihood.

Files are CSV with the columns question, A, B, C, D, answer and perhaps id and explanation, whatever their case. Each is
a subject, called like its file without `_val`, `_test` or `_dev`. Those in a folder `dev`, or whose names end so, hold
the examples that stand before a question.

By letter, the options are listed and the model chooses A, B, C or D. By text, the question stands alone, and the option
counts that is the most likely per character: small models can do that long before they understand letters.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lib.core.errors import UserError, about
from lib.core.program import say
from lib.evaluation.items import Item
from lib.evaluation.scorer import Scorer
from lib.files.records import read_records
from lib.files.text_files import Broken, Seen, TextFile
from lib.settings.corpus import ReadingLimits
from lib.settings.evaluation import ScoringSettings
from lib.sources.data_sets import ALL
from lib.sources.listing import fetched_source_files

KEY = "evaluation.multiple_choice"
LETTERS = ("A", "B", "C", "D")
EXAMPLES = "dev"
_ENDINGS = ("_val", "_test", "_dev")


@dataclass(frozen=True)
class Question:
    """A question with four options, of which one is right."""

    id: str
    subject: str
    text: str
    options: tuple[str, ...]
    answer: int
    """Place of the right option."""


@dataclass(frozen=True)
class Questions:
    """The questions of all subjects, and the examples that stand before them."""

    asked: Sequence[Question]
    examples: Mapping[str, Sequence[Question]]
    """By subject, as many as are wanted."""


NO_QUESTIONS = Questions((), {})


def read_questions(uri: str, downloads: Path, limits: ReadingLimits, settings: ScoringSettings) -> Questions:
    """The questions in the files at `uri`, up to `settings.max_questions` of each subject.

    Rows that are no questions are named and left out, and so are files without answers. UserError when no question is
    left, or a subject has too few examples.
    """
    asked: list[Question] = []
    examples: dict[str, list[Question]] = defaultdict(list)
    with about(f"settings: {KEY}"), fetched_source_files(uri, downloads, "", ALL) as files:
        for name, path in files.items():
            if not name.lower().endswith(".csv"):
                continue
            place = PurePosixPath(name)
            found = list(_questions(Path(path), _subject(place.stem), limits))
            if place.parent.name == EXAMPLES or place.stem.endswith(f"_{EXAMPLES}"):
                examples[_subject(place.stem)] += found[: settings.shots]
            else:
                asked += found[: settings.max_questions]
        if not asked:
            raise UserError(
                f"{uri} holds no questions; they are CSV files with the columns question, A, B, C, D, answer"
            )
        for subject in dict.fromkeys(question.subject for question in asked):
            if len(examples[subject]) < settings.shots:
                raise UserError(
                    f"evaluation.shots is {settings.shots}, but {subject} has {len(examples[subject])} examples in dev"
                )
    return Questions(asked, examples)


def choice_items(scorer: Scorer, questions: Questions, answer_label: str) -> Iterator[Item]:
    """Whether each question is answered rightly, by letter and by text; `answer_label` stands before the answer."""
    for by in ("letter", "text"):
        texts = [
            (_prompt(by, questions, question, answer_label), option)
            for question in questions.asked
            for option in _options(by, question)
        ]
        nats = scorer.continuations(texts, f"options of multiple choice by {by}")
        per_character = [value / len(option) for value, (_, option) in zip(nats, texts, strict=True)]
        for number, question in enumerate(questions.asked):
            values = per_character[number * len(LETTERS) : (number + 1) * len(LETTERS)]
            is_right = values.index(min(values)) == question.answer
            yield Item(f"choice_{by}_accuracy", question.subject, f"{question.subject}:{question.id}", float(is_right))


def _prompt(by: str, questions: Questions, question: Question, answer_label: str) -> str:
    """The examples with their answers, then the question."""
    examples = questions.examples.get(question.subject, ())
    shown = [f"{_asked(by, one, answer_label)}{_options(by, one)[one.answer]}\n\n" for one in examples]
    return "".join([*shown, _asked(by, question, answer_label)])


def _asked(by: str, question: Question, answer_label: str) -> str:
    listed = "".join(f"{letter}. {option}\n" for letter, option in zip(LETTERS, question.options, strict=True))
    return f"{question.text}\n{listed if by == 'letter' else ''}{answer_label}"


def _options(by: str, question: Question) -> tuple[str, ...]:
    return LETTERS if by == "letter" else question.options


def _subject(stem: str) -> str:
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    return stem


def _questions(path: Path, subject: str, limits: ReadingLimits) -> Iterator[Question]:
    """The questions of a file; none, with a line that says so, when it has no column of answers."""
    number = 0
    for record in read_records(TextFile(path, Seen(), limits), "csv"):
        number += 1
        if isinstance(record, Broken):
            say(f"evaluation: left out: {path.name}, {record.position}: {record.reason}")
            continue
        row = {str(key).strip().lower(): str(value or "").strip() for key, value in record.value.items()}
        if "answer" not in row:
            say(f"evaluation: left out: {path.name}: it has no column of answers")
            return
        options = tuple(row.get(letter.lower(), "") for letter in LETTERS)
        answer = row["answer"].upper()
        if not row.get("question") or "" in options or answer not in LETTERS:
            say(f"evaluation: left out: {path.name}, {record.position}: not a question, four options and their letter")
            continue
        name = row.get("id") or row.get("") or str(number)
        yield Question(name, subject, row["question"], options, LETTERS.index(answer))
