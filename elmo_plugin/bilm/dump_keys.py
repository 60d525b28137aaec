"""Names of datasets in a dump whose keys are sentences."""

import re
from collections import Counter

# What HDF5 has no name for: `/` parts names of groups, a name ends at NUL, "." is the group itself, "" is none. And
# what would look like one of the names that these get.
_NEEDS_ESCAPE = re.compile(r"[/\0]|%(2F|00|2E|25|#)|^(\.|%)?$")
_EMPTY = "%"


def sentence_key(sentence: str, occurrence: int = 1) -> str:
    """
    The name of the dataset of a sentence: the sentence itself, nearly always.

    Where a sentence holds `/` or NUL, is `.` or looks like the result of what follows, its `%` is written `%25`, `/`
    `%2F`, NUL `%00` and a lone `.` `%2E`; the empty sentence is `%`. No two sentences share a name. From its second
    occurrence on, `%#` and the number of the occurrence stand behind: `Yes .%#2`.

    # Parameters

    occurrence : 1 for the first time that the sentence is met.
    """
    key = sentence
    if sentence == "":
        key = _EMPTY
    elif sentence == ".":
        key = "%2E"
    elif _NEEDS_ESCAPE.search(sentence):
        key = sentence.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")
    return key if occurrence == 1 else f"{key}%#{occurrence}"


class SentenceKeys:
    """Names for the sentences of a text, one after the other."""

    def __init__(self) -> None:
        self._met: "Counter[str]" = Counter()

    def __call__(self, sentence: str) -> str:
        self._met[sentence] += 1
        return sentence_key(sentence, self._met[sentence])
