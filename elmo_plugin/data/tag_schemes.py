"""
Tags of spans, and the spans that they stand for.

Five schemes are known. In each a tag is `O`, or a letter, or a letter, a hyphen and the span's type (`B-PER`,
`I-creative-work`). With the letters renamed to those of BIOES, a span of three words, one of a single word, and
two of one type side by side are written

| scheme | three words   | one word | one and one | letters of its own               |
|--------|---------------|----------|-------------|----------------------------------|
| BIO    | `B I I`       | `B`      | `B B`       | also called IOB2                 |
| IOB1   | `I I I`       | `I`      | `I B`       | `B` only where two spans touch   |
| BIOES  | `B I E`       | `S`      | `S S`       |                                  |
| BIOUL  | as BIOES      |          |             | `L` for E, `U` for S             |
| BMES   | as BIOES      |          |             | `M` for I; `O` may occur         |

Which tag may follow which is said once, in `can_follow`: the reader's check, the detection and the constraints of
the decoder are made of it. Everything here is a pure function of strings.
"""

from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

OUTSIDE = "O"

# The letters of each scheme, as letters of BIOES. The order is that in which detection tries them.
LETTERS: Dict[str, Dict[str, str]] = {
    "BIO": {"B": "B", "I": "I"},
    "IOB1": {"B": "B", "I": "I"},
    "BIOES": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "BIOUL": {"B": "B", "I": "I", "L": "E", "U": "S"},
    "BMES": {"B": "B", "M": "I", "E": "E", "S": "S"},
}
SCHEMES = tuple(LETTERS)


class Span(NamedTuple):
    """Words `start` to `end`, the end exclusive, are one span of type `type` (empty where tags are letters only)."""

    type: str
    start: int
    end: int


class Misfit(NamedTuple):
    """
    The tag of word `index` breaks a scheme's rules, for this reason. `repairable` says whether it stands for a span
    nevertheless; a tag of another scheme does not.
    """

    index: int
    reason: str
    repairable: bool


def check_scheme(scheme: str) -> str:
    """The scheme itself, or a `ValueError` where there is none of that name."""
    if scheme not in LETTERS:
        raise ValueError(f"There is no tag scheme {scheme!r}; the schemes are {', '.join(SCHEMES)}.")
    return scheme


def split_tag(tag: Optional[str], scheme: str) -> Tuple[str, str]:
    """
    A tag's letter, renamed to BIOES's, and its type; a sentence's end (`None`) counts as `O`.

    # Raises

    `ValueError` where the tag is not of the scheme.
    """
    if tag is None or tag == OUTSIDE:
        return OUTSIDE, ""
    letter, hyphen, span_type = tag.partition("-")
    if letter not in LETTERS[scheme] or bool(hyphen) != bool(span_type):
        forms = ", ".join(f"{letter}-TYPE" for letter in LETTERS[scheme])
        raise ValueError(f"{tag!r} is no {scheme} tag, which is {OUTSIDE} or one of {forms}")
    return LETTERS[scheme][letter], span_type


def can_follow(previous: Optional[str], tag: Optional[str], scheme: str) -> bool:
    """Whether `tag` may stand right after `previous`; `None` is the sentence's begin or end."""
    previous_letter, previous_type = split_tag(previous, scheme)
    letter, span_type = split_tag(tag, scheme)
    same_span = previous_letter in ("B", "I") and previous_type == span_type
    if scheme == "BIO":
        return letter != "I" or same_span
    if scheme == "IOB1":
        return letter != "B" or same_span
    if previous_letter in ("B", "I"):
        return letter in ("I", "E") and same_span
    return letter not in ("I", "E")


def misfits(tags: Sequence[str], scheme: str) -> Iterator[Misfit]:
    """Every place where `tags` break the scheme's rules, in order."""
    previous = None
    for index, tag in enumerate(tags):
        try:
            allowed = can_follow(previous, tag, scheme)
        except ValueError as error:
            yield Misfit(index, str(error), repairable=False)
            previous = OUTSIDE
            continue
        if not allowed:
            place = "begins a sentence" if previous is None else f"follows {previous!r}"
            yield Misfit(index, f"{tag!r} {place}, which {scheme} does not allow", repairable=True)
        previous = tag
    if previous is not None and not can_follow(previous, None, scheme):
        yield Misfit(len(tags) - 1, f"{previous!r} ends a sentence, which {scheme} does not allow", repairable=True)


def first_misfits(sentences: Iterable[Sequence[str]]) -> Dict[str, Optional[Tuple[int, Misfit]]]:
    """
    For every scheme the first place where sentences break its rules, as (index of the sentence, misfit), or `None`:
    those schemes fit. Tags with a span in them fit BIO or IOB1 but never both.
    """
    found: Dict[str, Optional[Tuple[int, Misfit]]] = {scheme: None for scheme in SCHEMES}
    for sentence_index, tags in enumerate(sentences):
        for scheme in SCHEMES:
            if found[scheme] is None:
                misfit = next(misfits(tags, scheme), None)
                found[scheme] = None if misfit is None else (sentence_index, misfit)
    return found


def tags_to_spans(tags: Sequence[str], scheme: str) -> List[Span]:
    """
    The spans that `tags` stand for, in order.

    Tags that break the scheme's rules still stand for spans, for a tagger must not gain by writing nonsense: a
    tag that would continue a span where none of its type is open begins one, and a span that is never ended ends
    before the first word that is not in it. (AllenNLP's functions agree for BIO and IOB1; for BIOUL they raise.)

    # Raises

    `ValueError` for a tag that is not of the scheme.
    """
    spans: List[Span] = []
    open_type, start = None, 0
    for index, tag in enumerate(tags):
        letter, span_type = split_tag(tag, scheme)
        if open_type is not None and (letter in (OUTSIDE, "B", "S") or span_type != open_type):
            spans.append(Span(open_type, start, index))
            open_type = None
        if letter == OUTSIDE:
            continue
        if open_type is None:
            open_type, start = span_type, index
        if letter in ("E", "S"):
            spans.append(Span(open_type, start, index + 1))
            open_type = None
    if open_type is not None:
        spans.append(Span(open_type, start, len(tags)))
    return spans


def spans_to_tags(spans: Sequence[Span], num_tokens: int, scheme: str) -> List[str]:
    """The tags of a sentence of `num_tokens` words with these spans, which are in order and do not overlap."""
    own_letter = {role: letter for letter, role in LETTERS[scheme].items()}
    tags = [OUTSIDE] * num_tokens
    previous: Optional[Span] = None
    for span in spans:
        letters = ["B"] + ["I"] * (span.end - span.start - 1)
        if "E" in own_letter:
            letters[-1] = "S" if len(letters) == 1 else "E"
        touches = previous is not None and previous.end == span.start and previous.type == span.type
        if scheme == "IOB1" and not touches:
            letters[0] = "I"
        suffix = f"-{span.type}" if span.type else ""
        tags[span.start : span.end] = [own_letter[letter] + suffix for letter in letters]
        previous = span
    return tags


def convert_tags(tags: Sequence[str], source_scheme: str, scheme: str) -> List[str]:
    """The same spans in another scheme."""
    return spans_to_tags(tags_to_spans(tags, source_scheme), len(tags), scheme)


def span_types(tags: Iterable[str], scheme: str) -> List[str]:
    """The types that occur in `tags`, sorted."""
    return sorted({span_type for letter, span_type in (split_tag(tag, scheme) for tag in tags) if letter != OUTSIDE})


def tags_of_its_type(tag: str, scheme: str) -> List[str]:
    """A tag and all others of the same type: a scheme's letters stand for places in a span, and any may occur."""
    letter, hyphen, span_type = tag.partition("-")
    return [tag] if tag == OUTSIDE else [letter + hyphen + span_type for letter in LETTERS[scheme]]


def allowed_transitions(tags: Dict[int, str], scheme: str) -> List[Tuple[int, int]]:
    """
    The constraints of AllenNLP's `ConditionalRandomField`: every pair of tag ids of which the second may follow the
    first, where `len(tags)` stands for the sentence's begin and `len(tags) + 1` for its end; there is a word between.
    """
    begin, end = len(tags), len(tags) + 1
    sources = [*tags.items(), (begin, None)]
    targets = [*tags.items(), (end, None)]
    return [
        (source_id, target_id)
        for source_id, source in sources
        for target_id, target in targets
        if (source is not None or target is not None) and can_follow(source, target, scheme)
    ]
