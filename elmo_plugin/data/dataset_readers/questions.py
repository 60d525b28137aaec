"""
Questions on passages, from JSON files in SQuAD's layout or in that of CMRC 2018.
"""

import json
from dataclasses import dataclass
from typing import Any, Iterator, Optional, Tuple

from allennlp.common.checks import ConfigurationError

from elmo_plugin.data.dataset_readers.lines import numbered_lines
from elmo_plugin.data.shown import as_json

_LAYOUTS = (
    'expected SQuAD\'s layout, {"data": [{"paragraphs": [{"context": "…", "qas": [{"id": "…", "question": "…", '
    '"answers": [{"text": "…", "answer_start": 0}]}]}]}]}, or CMRC 2018\'s, [{"context_text": "…", "qas": '
    '[{"query_id": "…", "query_text": "…", "answers": ["…"]}]}]'
)
# In either layout: the keys of a passage, of a question and of its identity.
_SQUAD_KEYS = ("context", "question", "id")
_CMRC_KEYS = ("context_text", "query_text", "query_id")
_KINDS = {str: "a text", list: "a list", dict: "an object"}


@dataclass(frozen=True)
class Answer:
    """
    text : as written in the file.
    start : its first character's place in the passage, as the file has it; `None` where it has none.
    """

    text: str
    start: Optional[int] = None


@dataclass(frozen=True)
class Question:
    """
    id, question, passage : as written in the file.
    answers : the correct ones; none where the file has none.
    place : file and place in it, for messages.
    """

    id: str
    question: str
    passage: str
    answers: Tuple[Answer, ...]
    place: str


def read_questions(path: str) -> Iterator[Question]:
    """
    The questions of a file (`.gz` and `.xz` too), those of a passage behind one another.

    # Raises

    `ConfigurationError`, naming the file and the line or the place in the data, for JSON that is none, a missing key, a
    value of another kind than the layout has, and whatever `numbered_lines` finds.
    """
    data = _load(path)
    if isinstance(data, list):
        for i, passage in enumerate(data):
            yield from _questions_of(passage, f"{path}, [{i}]", _CMRC_KEYS)
    elif isinstance(data, dict) and "data" in data:
        for i, article in enumerate(_value(data, "data", list, path)):
            place = f"{path}, data[{i}]"
            for j, passage in enumerate(_value(article, "paragraphs", list, place)):
                yield from _questions_of(passage, f"{place}.paragraphs[{j}]", _SQUAD_KEYS)
    else:
        raise ConfigurationError(f"{path}: {_LAYOUTS}; found {as_json(data)}. Convert the file to one of them.")


def _load(path: str) -> Any:
    # JSON texts hold no line ends, so that nothing in them changes.
    text = "\n".join(line for _, line in numbered_lines(path))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"{path}, line {error.lineno}, column {error.colno}: the file is not JSON ({error.msg}). Correct it there; "
            f"{_LAYOUTS}."
        ) from error


def _questions_of(passage: Any, place: str, keys: Tuple[str, str, str]) -> Iterator[Question]:
    context_key, question_key, id_key = keys
    context = _value(passage, context_key, str, place)
    for i, entry in enumerate(_value(passage, "qas", list, place)):
        here = f"{place}.qas[{i}]"
        question = _value(entry, question_key, str, here)
        # Test files may come without answers.
        answers = _value(entry, "answers", list, here) if "answers" in entry else []
        yield Question(
            id=str(_value(entry, id_key, None, here)),
            question=question,
            passage=context,
            answers=tuple(_answer(answer, f"{here}.answers[{k}]") for k, answer in enumerate(answers)),
            place=here,
        )


def _answer(answer: Any, place: str) -> Answer:
    if isinstance(answer, str):
        return Answer(answer)
    text = _value(answer, "text", str, place)
    start = answer.get("answer_start")
    if start is not None and (not isinstance(start, int) or isinstance(start, bool)):
        raise ConfigurationError(
            f"{place}: expected a whole number for 'answer_start', the place of the answer's first character in the "
            f"passage, found {as_json(start)}. Correct it, or leave the key out."
        )
    return Answer(text, start)


def _value(holder: Any, key: str, kind: Optional[type], place: str) -> Any:
    if not isinstance(holder, dict):
        raise ConfigurationError(f"{place}: expected an object with the key {key!r}, found {as_json(holder)}.")
    if key not in holder:
        raise ConfigurationError(
            f"{place}: the key {key!r} is missing; there are {sorted(map(str, holder))}. Add it; {_LAYOUTS}."
        )
    if kind is not None and not isinstance(holder[key], kind):
        raise ConfigurationError(
            f"{place}: expected {_KINDS[kind]} for {key!r}, found {as_json(holder[key])}. Correct it."
        )
    return holder[key]
