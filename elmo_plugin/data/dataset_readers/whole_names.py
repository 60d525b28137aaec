"""
Words of a tagged paragraph with their classes, names made whole.
"""

from collections import Counter
from itertools import groupby
from typing import Dict, List, NamedTuple, Optional, Sequence

from allennlp.common.checks import ConfigurationError

from elmo_plugin.data.dataset_readers.slashed import Paragraph
from elmo_plugin.data.tag_schemes import Span
from elmo_plugin.data.word_classes import NAMES

# Family names of two characters that stand in front of a given name; all others have one.
_LONG_FAMILY_NAMES = frozenset(
    "欧阳 司马 诸葛 上官 司徒 令狐 南宫 东方 夏侯 皇甫 尉迟 公孙 慕容 长孙 宇文 轩辕 端木 独孤 呼延 申屠 淳于 单于 太史 "
    "闻人 澹台 濮阳 公冶 宗政 钟离 鲜于 百里 东郭 西门 公羊 赫连 拓跋 万俟 仲孙 司空 闾丘 梁丘 左丘 谷梁 段干 乐正 漆雕".split()
)


class ClassedWord(NamedTuple):
    """A word and its class."""

    text: str
    word_class: str


def classed_words(
    paragraph: Paragraph, table: Optional[Dict[str, str]], join_names: bool, counts: Counter
) -> List[ClassedWord]:
    """
    The words of a paragraph with the classes that a table gives them. With `join_names`

    - what stands in a bracket of one of the classes `NAMES` is one word of that class, the outermost bracket where
      several are nested; brackets of other classes leave their words alone;
    - a family name and the given name behind it, two words with the tag of a person, are one (`family_and_given`).

    # Parameters

    table : class of each tag; `None` where tags are classes already.
    counts : is added to: what was joined and what was not.

    # Raises

    `ConfigurationError` for a tag, of a word or a bracket, that the table does not have.
    """
    classes = [_class_of(word.tag, table, paragraph, word.text) for word in paragraph.words]
    spans = [Span(word_class, position, position + 1) for position, word_class in enumerate(classes)]
    for bracket in _names_in_brackets(paragraph, table, join_names, counts):
        spans = [span for span in spans if not bracket.start <= span.start < bracket.end] + [bracket]
    spans.sort(key=lambda span: span.start)
    if join_names:
        spans = _with_whole_people(spans, paragraph, counts)
    return [
        ClassedWord("".join(word.text for word in paragraph.words[span.start : span.end]), span.type) for span in spans
    ]


def family_and_given(words: Sequence[str]) -> List[int]:
    """
    How many of neighbouring words, all with the tag of a person, belong to each person: a family name (one character,
    or one of the known ones of two) takes the word behind it. A word alone is a person, such as a foreign name. The
    three words of a married name (`陈 方 安生`: husband's, own, given) are one person where nobody else stands beside.
    """
    if len(words) == 3 and len(words[0]) == len(words[1]) == 1 < len(words[2]):
        return [3]
    lengths: List[int] = []
    position = 0
    while position < len(words):
        is_family = len(words[position]) == 1 or words[position] in _LONG_FAMILY_NAMES
        lengths.append(2 if is_family and position + 1 < len(words) else 1)
        position += lengths[-1]
    return lengths


def _names_in_brackets(
    paragraph: Paragraph, table: Optional[Dict[str, str]], join_names: bool, counts: Counter
) -> List[Span]:
    """The brackets that are names, without those inside others."""
    names: List[Span] = []
    # From the widest to the narrowest.
    for bracket in sorted(paragraph.brackets, key=lambda bracket: bracket.start - bracket.end):
        name_class = _class_of(bracket.tag, table, paragraph, f"the bracket behind word {bracket.end}")
        if any(name.start <= bracket.start and bracket.end <= name.end for name in names):
            continue
        is_name = join_names and name_class in NAMES
        counts["brackets made one word" if is_name else "brackets left as their words"] += 1
        if is_name:
            names.append(Span(name_class, bracket.start, bracket.end))
    return names


def _with_whole_people(spans: List[Span], paragraph: Paragraph, counts: Counter) -> List[Span]:
    result: List[Span] = []
    # What stands in a bracket is whole already.
    for is_person, group in groupby(spans, lambda span: span.type == "PER" and span.end == span.start + 1):
        people = list(group)
        if not is_person:
            result.extend(people)
            continue
        start = people[0].start
        for length in family_and_given([paragraph.words[person.start].text for person in people]):
            counts["people joined of several words"] += length > 1
            result.append(Span("PER", start, start + length))
            start += length
    return result


def _class_of(tag: str, table: Optional[Dict[str, str]], paragraph: Paragraph, what: str) -> str:
    if table is None:
        return tag
    if tag not in table:
        raise ConfigurationError(
            f"{paragraph.place}: the tag {tag!r} of {what} is not in the table of tags, which has {' '.join(table)}. "
            f'Correct it; or say what it means with the reader\'s "more_tags": {{"{tag}": "n"}}.'
        )
    return table[tag]
