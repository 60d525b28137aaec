"""
Where answers stand in a passage, in characters and in tokens.
"""

from bisect import bisect_left, bisect_right
from typing import List, NamedTuple, Optional, Sequence, Tuple

from elmo_plugin.data.dataset_readers.questions import Answer


class Location(NamedTuple):
    """
    start, end : the answer is `passage[start:end]`.
    is_repaired : the file has it at another place.
    """

    start: int
    end: int
    is_repaired: bool


def locate(passage: str, answer: Answer) -> Optional[Location]:
    """
    The answer's characters in the passage: where the file says, or, if it does not stand there, where it stands
    nearest to that place; the first place, if the file names none. White space around the answer does not count.

    `None` where the answer is empty or nowhere in the passage.
    """
    text = answer.text.strip()
    if text == "":
        return None
    given = None if answer.start is None else answer.start + answer.text.index(text)
    if given is not None and given >= 0 and passage.startswith(text, given):
        return Location(given, given + len(text), False)
    places = _occurrences(passage, text)
    if not places:
        return None
    start = places[0] if given is None else min(places, key=lambda place: abs(place - given))
    return Location(start, start + len(text), given is not None)


def _occurrences(passage: str, text: str) -> List[int]:
    places = []
    place = passage.find(text)
    while place >= 0:
        places.append(place)
        place = passage.find(text, place + 1)
    return places


class TokenSpan(NamedTuple):
    """
    first, last : the tokens that hold the answer, both included.
    is_widened : they hold more than the answer, which begins or ends inside of a token.
    """

    first: int
    last: int
    is_widened: bool


def to_tokens(start: int, end: int, offsets: Sequence[Tuple[int, int]]) -> Optional[TokenSpan]:
    """
    The tokens that share a character with `passage[start:end]`; `None` where none does.

    # Parameters

    offsets : of each token its first character and the one after its last; in order, none over another.
    """
    first = bisect_right([token_end for _, token_end in offsets], start)
    last = bisect_left([token_start for token_start, _ in offsets], end) - 1
    if first > last:
        return None
    is_exact = offsets[first][0] == start and offsets[last][1] == end
    return TokenSpan(first, last, not is_exact)
