"""
The words of the People's Daily corpus of January 1998, a sentence a line, from its `word/tag` form:

    python benchmarks/peoples_daily_words.py pfr199801/train.txt > words.txt

Tags go, and the brackets around compound names with theirs (`[中央/n 电视台/n]nt`); so does the number in front of each
paragraph. A sentence ends behind 。？！ and the quotes that close there.
"""

import re
import sys
from typing import Iterator, List

ENDS, CLOSING = set("。？！"), set("”’』」）》")
# A word may itself hold a slash or a bracket; its tag is the last part.
TAGGED = re.compile(r"^\[?(.+)/[A-Za-z]+(?:\][A-Za-z]+)?$")


def words_of(line: str, where: str) -> List[str]:
    """Without the first column, a number such as 19980101-01-001-001/m."""
    words = []
    for item in line.split()[1:]:
        found = TAGGED.match(item)
        if found is None:
            sys.exit(f"{where}: expected word/tag, but found {item!r}.")
        words.append(found.group(1))
    return words


def sentences_of(words: List[str]) -> Iterator[List[str]]:
    sentence: List[str] = []
    for number, word in enumerate(words):
        sentence.append(word)
        following = words[number + 1] if number + 1 < len(words) else ""
        ended = word in ENDS or (word in CLOSING and len(sentence) > 1 and sentence[-2] in ENDS)
        if ended and following not in ENDS and following not in CLOSING:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def main() -> None:
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                for sentence in sentences_of(words_of(line, f"{path}, line {number}")):
                    print(" ".join(sentence))


if __name__ == "__main__":
    main()
